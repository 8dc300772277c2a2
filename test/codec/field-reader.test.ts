import avsc from 'avsc';
import { describe, expect, it } from 'vitest';
import { createFieldReader } from '../../src/codec/index.ts';
import { topicSource } from '../../src/definition/index.ts';
import { FixedRegistry, framed } from './helpers.ts';

const spec = {
  name: 'rides',
  topic: 'rides',
  schema: { driver: 'int64', city: 'string', at: 'timestamp', fare: 'float64' },
  timestampField: 'at',
} as const;
const fields = ['driver', 'city'];

describe('the fields of a record that is no row are read from', () => {
  const json = createFieldReader({ source: topicSource({ ...spec, format: 'json' }), fields });
  const cases: readonly [what: string, value: string | null, found: Record<string, unknown>][] = [
    ['JSON without an event time', '{"driver":7,"city":"Rome"}', { driver: 7n, city: 'Rome' }],
    ['JSON with other bad fields', '{"at":"never","fare":[],"driver":"7"}', { driver: 7n }],
    ['JSON with a field of another type', '{"driver":"seven","city":"Rome"}', {}],
    ['JSON with a null', '{"driver":7,"city":null}', { driver: 7n }],
    ['a list', '[7]', {}],
    ['half of a JSON object', '{"driver":7,"ci', {}],
    ['no bytes', '', {}],
    ['no value', null, {}],
  ];
  it.each(cases)('%s', async (_, value, found) => {
    const read = await json.read(value === null ? null : Buffer.from(value));
    expect(Object.fromEntries(read)).toEqual(found);
  });

  const writer = avsc.Type.forSchema({
    type: 'record',
    name: 'Rides',
    fields: [
      { name: 'driver', type: 'int' },
      { name: 'note', type: 'string' },
      { name: 'city', type: ['null', 'string'] },
    ],
  });
  const registry = new FixedRegistry({ 3: JSON.stringify(writer.schema()) });
  const avro = createFieldReader({ source: topicSource(spec), fields, registry });
  const bytes = framed(3, writer.toBuffer({ driver: 7, note: 'slow', city: 'Rome' }));

  it('Avro whose writer has no event time', async () => {
    expect(Object.fromEntries(await avro.read(bytes))).toEqual({ driver: 7n, city: 'Rome' });
  });
  it('Avro up to where it is cut', async () => {
    expect(Object.fromEntries(await avro.read(bytes.subarray(0, 8)))).toEqual({ driver: 7n });
  });
  it('no bytes of an unknown writer', async () => {
    expect(Object.fromEntries(await avro.read(framed(4, Buffer.from([14]))))).toEqual({});
    expect(Object.fromEntries(await avro.read(Buffer.from('text')))).toEqual({});
  });
});
