import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { avroSchemaOf, createRowDecoder, createRowEncoder } from '../../src/codec/index.ts';
import { topicSource } from '../../src/definition/index.ts';
import { logBatch, rowObjects } from '../codec/helpers.ts';
import { type ServedRegistry, serveRegistry } from './support.ts';

describe('the schema registry server', () => {
  let served: ServedRegistry;
  beforeAll(async () => {
    served = await serveRegistry();
  });
  afterAll(() => served.close());

  async function call(method: string, path: string, body?: unknown): Promise<[number, unknown]> {
    const response = await fetch(`${served.url}${path}`, {
      method,
      ...(body !== undefined && {
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    });
    return [response.status, await response.json()];
  }

  it('registers, looks up and lists as Confluent does', async () => {
    const schema = '"int"';
    const posted = await call('POST', '/subjects/list/versions', { schema });
    const id = (posted[1] as { id: number }).id;
    expect(posted).toEqual([200, { id: expect.any(Number) }]);
    const version = { subject: 'list', id, version: 1, schema };
    expect(await call('POST', '/subjects/list', { schema })).toEqual([200, version]);
    expect(await call('GET', '/subjects/list/versions/1')).toEqual([200, version]);
    expect(await call('GET', '/subjects/list/versions/latest')).toEqual([200, version]);
    expect(await call('GET', '/subjects/list/versions')).toEqual([200, [1]]);
    expect(await call('GET', `/schemas/ids/${id}`)).toEqual([200, { schema }]);
    expect((await call('GET', '/subjects'))[1]).toContain('list');
    expect(await call('DELETE', '/subjects/list')).toEqual([200, [1]]);
    expect((await call('GET', '/subjects'))[1]).not.toContain('list');
  });

  it('checks and sets compatibility', async () => {
    await call('POST', '/subjects/level/versions', { schema: '"int"' });
    const check = '/compatibility/subjects/level/versions/latest';
    expect(await call('POST', check, { schema: '"long"' })).toEqual([200, { is_compatible: true }]);
    expect(await call('POST', `${check}?verbose=true`, { schema: '"string"' })).toEqual([
      200,
      { is_compatible: false, messages: [expect.any(String)] },
    ]);
    expect(await call('GET', '/config')).toEqual([200, { compatibilityLevel: 'BACKWARD' }]);
    expect((await call('GET', '/config/level'))[1]).toMatchObject({ error_code: 40408 });
    expect(await call('PUT', '/config/level', { compatibility: 'NONE' })).toEqual([
      200,
      { compatibility: 'NONE' },
    ]);
    expect(await call('GET', '/config/level')).toEqual([200, { compatibilityLevel: 'NONE' }]);
    expect((await call('POST', '/subjects/level/versions', { schema: '"string"' }))[0]).toBe(200);
  });

  const faults: readonly [string, string, unknown, number, number][] = [
    ['GET', '/subjects/none/versions', undefined, 404, 40401],
    ['GET', '/subjects/kept/versions/9', undefined, 404, 40402],
    ['GET', '/subjects/kept/versions/x', undefined, 422, 42202],
    ['GET', '/schemas/ids/999', undefined, 404, 40403],
    ['POST', '/subjects/kept', { schema: '"bytes"' }, 404, 40403],
    ['POST', '/subjects/kept/versions', { schema: '{"type":"recrod"}' }, 422, 42201],
    ['POST', '/subjects/kept/versions', { schema: '{}', schemaType: 'JSON' }, 422, 42201],
    ['POST', '/subjects/kept/versions', { schema: '"string"' }, 409, 409],
    ['POST', '/subjects/kept/versions', '{', 400, 400],
    ['POST', '/subjects/kept/versions', `"${'x'.repeat(2 ** 20)}"`, 413, 413],
    ['PUT', '/config', { compatibility: 'SOME' }, 422, 42203],
    ['DELETE', '/subjects/none', undefined, 404, 40401],
    ['GET', '/elsewhere', undefined, 404, 404],
  ];
  it.each(faults)(
    'answers %s %s with Confluent’s code',
    async (method, path, body, status, code) => {
      await served.registry.register('kept', '"int"');
      const [answered, fault] = await call(method, path, body);
      expect([answered, fault]).toEqual([
        status,
        { error_code: code, message: expect.any(String) },
      ]);
    },
  );

  it('serves kafkajs’s registry client, and each side reads the other’s rows', async () => {
    const client = new SchemaRegistry({ host: served.url });
    const source = topicSource({
      name: 'rides',
      topic: 'rides',
      schema: { at: 'timestamp', city: 'string', fare: 'float64' },
      timestampField: 'at',
    });
    const schema = avroSchemaOf(source);
    const { id } = await client.register(
      { type: SchemaType.AVRO, schema },
      { subject: 'rides-value', compatibility: COMPATIBILITY.BACKWARD },
    );
    const row = { at: 1_700_000_000_000_000, city: 'Rome', fare: 1.5 };

    const theirs = await client.encode(id, row);
    const decoder = createRowDecoder({ source, registry: served.registry, requiredFields: [] });
    const decoded = await decoder.decode(logBatch([theirs]));
    expect(rowObjects(decoded.rows)).toEqual([row]);

    const ours = createRowEncoder({ source, schemaId: id }).encode(row);
    expect({ ...(await client.decode(Buffer.from(ours))) }).toEqual(row);
  });
});
