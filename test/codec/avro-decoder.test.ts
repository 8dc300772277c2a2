import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAvroDecoder, type DecodedBatch } from '../../src/codec/index.ts';
import { ManualClock } from '../../src/core/clock.ts';
import type { Schema } from '../../src/core/field-type.ts';
import { NO_CREATED_TIME_US } from '../../src/core/row-order.ts';
import { topicSource } from '../../src/definition/index.ts';
import { FreshetError } from '../../src/errors.ts';
import { ARRIVAL_MS, FixedRegistry, framed, logBatch, rowObjects } from './helpers.ts';

const AT = { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } };
const ARRIVAL_US = ARRIVAL_MS * 1000;

function sourceOf(schema: Schema) {
  return topicSource({
    name: 'rides',
    topic: 'rides',
    schema: { at: 'timestamp', ...schema },
    timestampField: 'at',
    ...(schema['made'] && { createdTimestampField: 'made' as 'at' }),
  });
}

function recordOf(fields: readonly object[]): string {
  return JSON.stringify({ type: 'record', name: 'Rides', fields: [AT, ...fields] });
}

/** Decodes rows that a writer with these fields encoded with avsc. */
async function decodeAs(
  schema: Schema,
  fields: readonly object[],
  rows: readonly object[],
): Promise<DecodedBatch> {
  const writer = recordOf(fields);
  const type = avsc.Type.forSchema(JSON.parse(writer));
  const values = rows.map((row) => framed(1, type.toBuffer({ at: ARRIVAL_US, ...row })));
  const registry = new FixedRegistry({ 1: writer });
  return createAvroDecoder({ source: sourceOf(schema), registry, requiredFields: [] }).decode(
    logBatch(values),
  );
}

async function readAs(type: Schema[string], writer: unknown, value: unknown): Promise<unknown> {
  const decoded = await decodeAs({ v: type }, [{ name: 'v', type: writer }], [{ v: value }]);
  return decoded.rejects[0]?.code ?? rowObjects(decoded.rows)[0]?.['v'];
}

const decimal = { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 };

describe('an Avro decoder reads a writer', () => {
  const resolutions: readonly [Schema[string], unknown, unknown, unknown][] = [
    ['int32', 'int', -5, -5],
    ['int64', 'int', 5, 5n],
    ['int64', 'long', 2 ** 50, 2n ** 50n],
    ['float32', 'int', 16777217, 16777216],
    ['float64', 'long', 12345678901, 12345678901],
    ['float32', 'float', 0.5, 0.5],
    ['float64', 'float', 0.5, 0.5],
    ['float64', 'double', 0.1, 0.1],
    ['string', 'string', 'é😀', 'é😀'],
    ['string', 'bytes', Buffer.from('é'), 'é'],
    ['string', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, 'B', 'B'],
    ['bytes', 'string', 'ab', Buffer.from('ab')],
    ['bytes', { type: 'fixed', name: 'F', size: 2 }, Buffer.from([1, 2]), Buffer.from([1, 2])],
    ['bool', 'boolean', true, true],
    ['string', decimal, Buffer.from([0xff, 0x85]), '-1.23'],
    ['float64', decimal, Buffer.from([0x04, 0xd2]), 12.34],
    ['timestamp', { type: 'long', logicalType: 'timestamp-millis' }, 5, 5000],
    ['timestamp', { type: 'long', logicalType: 'timestamp-micros' }, 5, 5],
    ['timestamp', { type: 'long', logicalType: 'timestamp-nanos' }, -1500, -2],
    ['timestamp', { type: 'int', logicalType: 'date' }, 1, 86_400_000_000],
    ['json', 'string', '{"b":1,"a":[2]}', { a: [2], b: 1 }],
    ['string', ['string', 'null'], 'x', 'x'],
    ['string', ['null', 'string'], null, null],
    ['int64', ['null', 'int'], 3, 3n],
    ['int64[]', { type: 'array', items: 'int' }, [1, 2], [1n, 2n]],
    ['string[]', ['null', { type: 'array', items: ['null', 'string'] }], ['a'], ['a']],
  ];
  it.each(resolutions)('as %s what was written as %o', async (type, writer, value, expected) => {
    expect(await readAs(type, writer, value)).toEqual(expected);
  });

  const refused: readonly [Schema[string], unknown, unknown][] = [
    ['int32', 'long', 5],
    ['float32', 'double', 5],
    ['string', 'int', 5],
    ['timestamp', 'long', 5],
    ['int32', ['null', 'string'], null],
    ['string', { type: 'map', values: 'string' }, {}],
  ];
  it.each(refused)('and refuses, for %s, what was written as %o', async (type, writer, value) => {
    expect(await readAs(type, writer, value)).toBe('SCHEMA_INCOMPATIBLE');
  });

  it('with longs beyond 2^53 to the last bit', async () => {
    const big = avsc.types.LongType.__with({
      fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
      toBuffer: (value: bigint) => Buffer.from(BigInt64Array.of(value).buffer),
      fromJSON: BigInt,
      toJSON: String,
      isValid: (value: unknown) => typeof value === 'bigint',
      compare: () => 0,
    });
    const writer = recordOf([{ name: 'v', type: 'long' }]);
    const type = avsc.Type.forSchema(JSON.parse(writer), { registry: { long: big } });
    const registry = new FixedRegistry({ 1: writer });
    const source = sourceOf({ v: 'int64' });
    const decoder = createAvroDecoder({ source, registry, requiredFields: [] });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 1 }),
        async (longs) => {
          const values = longs.map((v) => framed(1, type.toBuffer({ at: 0, v })));
          const { rows } = await decoder.decode(logBatch(values));
          expect(rowObjects(rows).map((row) => row['v'])).toEqual(longs);
        },
      ),
    );
  });

  it('that has dropped a field, added one, and changed the order', async () => {
    const address = {
      type: 'record',
      name: 'Address',
      fields: [
        { name: 'parts', type: { type: 'map', values: { type: 'array', items: 'double' } } },
        { name: 'next', type: ['null', 'Address'] },
      ],
    };
    const decoded = await decodeAs(
      { kept: 'string', dropped: 'int32' },
      [
        { name: 'added', type: address },
        { name: 'kept', type: 'string' },
      ],
      [{ added: { parts: { a: [1, 2] }, next: { parts: {}, next: null } }, kept: 'k' }],
    );
    expect(rowObjects(decoded.rows)).toEqual([{ at: ARRIVAL_US, kept: 'k', dropped: null }]);
  });
});

describe('an Avro decoder', () => {
  const writer = recordOf([
    { name: 'city', type: ['null', 'string'] },
    { name: 'tags', type: { type: 'array', items: 'int' } },
  ]);
  const type = avsc.Type.forSchema(JSON.parse(writer));
  const source = sourceOf({ city: 'string', tags: 'int32[]' });
  const good = framed(1, type.toBuffer({ at: ARRIVAL_US, city: 'Rome', tags: [1, 2, 3] }));

  function decoderOf(registry = new FixedRegistry({ 1: writer }), clock = new ManualClock(0)) {
    return createAvroDecoder({
      source,
      registry,
      requiredFields: ['city'],
      rowBytesMax: 64,
      clock,
    });
  }

  async function codeOf(value: Uint8Array | null): Promise<string | undefined> {
    const { rows, rejects } = await decoderOf().decode(logBatch([good, value, good]));
    expect(Array.from(rows.offsets.subarray(0, rows.count))).toEqual([100, 102]);
    expect(rejects).toHaveLength(1);
    expect(rejects[0]!.index).toBe(1);
    return rejects[0]!.code;
  }

  const bad: readonly [string, string, Uint8Array | null][] = [
    ['ROW_EMPTY', 'a tombstone', null],
    ['ROW_EMPTY', 'no bytes', Buffer.alloc(0)],
    ['ROW_UNDECODABLE', 'text', Buffer.from('{"city":"Rome"}')],
    ['ROW_TRUNCATED', 'half a schema id', Buffer.from([0, 0, 0])],
    ['SCHEMA_ID_UNKNOWN', 'another id', framed(9, Buffer.from([0]))],
    ['ROW_TOO_LARGE', 'more bytes than the bound', Buffer.concat([good, Buffer.alloc(64)])],
    ['ROW_UNDECODABLE', 'bytes after the row', Buffer.concat([good, Buffer.alloc(1)])],
    ['ROW_KEY_NULL', 'no join key', framed(1, type.toBuffer({ at: 0, city: null, tags: [] }))],
    [
      'ROW_TIME_ABSURD',
      'a row two days ahead',
      framed(1, type.toBuffer({ at: ARRIVAL_US + 2 * 86_400e6, city: 'Rome', tags: [] })),
    ],
    ['ROW_UNDECODABLE', 'a choice outside the union', framed(1, Buffer.from([0, 8, 0, 0]))],
    [
      'ROW_TRUNCATED',
      'an array that claims 2^40 items',
      framed(1, Buffer.from([0, 2, 2, 65, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40])),
    ],
    ['ROW_UNDECODABLE', 'a number without an end', framed(1, Buffer.alloc(40, 0xff))],
  ];
  it.each(bad)('answers %s for %s and keeps the rows around it', async (code, _, value) => {
    expect(await codeOf(value)).toBe(code);
  });

  it('rejects every proper beginning of a row', async () => {
    for (let length = 1; length < good.length; length++) {
      expect(await codeOf(good.subarray(0, length))).toBe('ROW_TRUNCATED');
    }
  });

  it('survives any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 })), async (bodies) => {
        const batch = logBatch(bodies.map((body) => framed(1, body)));
        const { rows, rejects } = await decoderOf().decode(batch);
        expect(rows.count + rejects.length).toBe(bodies.length);
      }),
    );
  });

  it('names the field of a value that it cannot take', async () => {
    const decoded = await decodeAs(
      { v: 'json' },
      [{ name: 'v', type: 'string' }],
      [{ v: '{' }, { v: '1' }],
    );
    expect(decoded.rejects[0]).toMatchObject({ index: 0, code: 'ROW_TYPE' });
    expect(decoded.rejects[0]!.reason).toContain('field "v"');
    expect(rowObjects(decoded.rows)[0]!['v']).toBe(1);
  });

  it('rejects event times beyond what microseconds hold', async () => {
    const at = { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } };
    const schema = JSON.stringify({ type: 'record', name: 'R', fields: [at] });
    const value = framed(1, avsc.Type.forSchema(JSON.parse(schema)).toBuffer({ at: -6.3e13 }));
    const registry = new FixedRegistry({ 1: schema });
    const decoder = createAvroDecoder({ source: sourceOf({}), registry, requiredFields: [] });
    expect((await decoder.decode(logBatch([value]))).rejects[0]!.code).toBe('ROW_TIME_ABSURD');
  });

  it('rejects a null event time and orders a null created time first', async () => {
    const nullable = (name: string) => ({ ...AT, name, type: ['null', AT.type] });
    const schema = JSON.stringify({
      type: 'record',
      name: 'R',
      fields: [nullable('at'), nullable('made')],
    });
    const avro = avsc.Type.forSchema(JSON.parse(schema));
    const values = [
      { at: null, made: 5 },
      { at: 6, made: null },
      { at: 7, made: 8 },
    ];
    const decoder = createAvroDecoder({
      source: sourceOf({ made: 'timestamp' }),
      registry: new FixedRegistry({ 1: schema }),
      requiredFields: [],
    });
    const batch = logBatch(values.map((value) => framed(1, avro.toBuffer(value))));
    const { rows, rejects } = await decoder.decode(batch);
    expect(rejects.map((reject) => reject.code)).toEqual(['ROW_TIME_NULL']);
    expect(Array.from(rows.createdTimesUs.subarray(0, 2))).toEqual([NO_CREATED_TIME_US, 8]);
    expect(Array.from(rows.eventTimesUs.subarray(0, 2))).toEqual([6, 7]);
    expect(rows.arrivalTimesUs[0]).toBe(ARRIVAL_US);
  });

  it('answers at once when all writers of a batch are known', async () => {
    const registry = new FixedRegistry({ 1: writer });
    const decoder = decoderOf(registry);
    expect(decoder.decode(logBatch([good]))).toBeInstanceOf(Promise);
    await decoder.decode(logBatch([good]));
    expect(decoder.decode(logBatch([good]))).not.toBeInstanceOf(Promise);
  });

  it('asks again for an unknown id after half a minute', async () => {
    const registry = new FixedRegistry({});
    const clock = new ManualClock(0);
    const decoder = decoderOf(registry, clock);
    await decoder.decode(logBatch([good, good]));
    await decoder.decode(logBatch([good]));
    expect(registry.lookups).toBe(1);
    registry.schemas.set(1, writer);
    clock.advance(30_000);
    expect((await decoder.decode(logBatch([good]))).rows.count).toBe(1);
  });

  it('goes on with known writers while the registry is away, and fails for a new one', async () => {
    const registry = new FixedRegistry({ 1: writer });
    const decoder = decoderOf(registry);
    await decoder.decode(logBatch([good]));
    registry.failure = new FreshetError('SCHEMA_REGISTRY_UNAVAILABLE', 'refused');
    expect((await decoder.decode(logBatch([good]))).rows.count).toBe(1);
    await expect(async () => decoder.decode(logBatch([framed(2, good)]))).rejects.toMatchObject({
      code: 'SCHEMA_REGISTRY_UNAVAILABLE',
      retriable: true,
    });
  });

  it('leaves no value of a rejected row in the row that follows', async () => {
    const other = recordOf([]);
    const schema = recordOf([{ name: 'city', type: 'string' }]);
    const full = avsc.Type.forSchema(JSON.parse(schema)).toBuffer({
      at: ARRIVAL_US * 2,
      city: 'x',
    });
    const bare = avsc.Type.forSchema(JSON.parse(other)).toBuffer({ at: 0 });
    const decoder = createAvroDecoder({
      source: sourceOf({ city: 'string' }),
      registry: new FixedRegistry({ 1: schema, 2: other }),
      requiredFields: [],
    });
    const { rows } = await decoder.decode(logBatch([framed(1, full), framed(2, bare)]));
    expect(rowObjects(rows)).toEqual([{ at: 0, city: null }]);
  });
});
