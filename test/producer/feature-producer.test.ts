import { describe, expect, it } from 'vitest';
import { avroSchemaOf, createRowDecoder } from '../../src/codec/index.ts';
import { topicSource } from '../../src/definition/index.ts';
import { createFeatureProducer, type FeatureProducerOptions } from '../../src/producer/index.ts';
import { FixedRegistry, logBatch, rowObjects } from '../codec/helpers.ts';
import { AppendedLog, settled } from './support.ts';

const schema = { at: 'timestamp', city: 'string', fare: 'int64' } as const;
const source = topicSource({
  name: 'rides',
  topic: 'rides.v1',
  schema,
  timestampField: 'at',
  keyFields: ['city'],
});
const ride = { at: new Date(5), city: 'Rome', fare: 7n };

async function setUp(options: Partial<FeatureProducerOptions<typeof schema>> = {}) {
  const log = new AppendedLog();
  const registry = new FixedRegistry({ 1: avroSchemaOf(source) });
  const producer = await createFeatureProducer({ log: log.log, source, registry, ...options });
  return { log, registry, producer };
}

describe('a feature producer', () => {
  it('sends rows that the engine reads back, under the key of each', async () => {
    const { log, registry, producer } = await setUp();
    const { sent, rejects } = await producer.send([ride, { ...ride, city: 'Oslo', fare: null }]);
    expect([sent, rejects]).toEqual([2, []]);
    expect(log.records.map(({ topic, key }) => [topic, Buffer.from(key!).toString()])).toEqual([
      ['rides.v1', 'Rome'],
      ['rides.v1', 'Oslo'],
    ]);
    const decoder = createRowDecoder({ source, registry, requiredFields: [] });
    const { rows } = await decoder.decode(logBatch(log.records.map(({ value }) => value)));
    expect(rowObjects(rows)).toEqual([
      { at: 5000, city: 'Rome', fare: 7n },
      { at: 5000, city: 'Oslo', fare: null },
    ]);
  });

  it('names the rows it refuses and sends the others', async () => {
    const { log, producer } = await setUp({ rowBytesMax: 100 });
    const rows = [
      ride,
      { ...ride, fare: 'many' },
      { city: 'Rome' },
      { at: 5 },
      null,
      { ...ride, city: 'x'.repeat(100) },
      ride,
    ];
    const { sent, rejects } = await producer.send(rows as (typeof ride)[]);
    expect(sent).toBe(2);
    expect(rejects.map(({ index, code }) => [index, code])).toEqual([
      [1, 'ROW_TYPE'],
      [2, 'ROW_TIME_NULL'],
      [3, 'ROW_KEY_NULL'],
      [4, 'ROW_TYPE'],
      [5, 'ROW_TOO_LARGE'],
    ]);
    expect(rejects[0]!.reason).toContain('field "fare"');
    expect(log.records).toHaveLength(2);
    expect(producer.counts).toMatchObject({ rowsSent: 2, rowsRejected: 5, rowsInFlight: 0 });
  });

  it('sends nothing when it is strict and one row is bad', async () => {
    const { log, producer } = await setUp();
    const sent = producer.send([ride, { ...ride, at: 'never' }], { strict: true });
    await expect(sent).rejects.toMatchObject({ code: 'ROW_TYPE', where: { row: 1 } });
    expect(log.records).toEqual([]);
    expect(producer.counts.rowsRejected).toBe(1);
  });

  it('waits while as many rows as allowed are on their way', async () => {
    const { log, producer } = await setUp({ rowsInFlightMax: 2 });
    log.hold();
    const sends = [1, 2, 3].map(() => producer.send([ride]));
    await settled();
    expect(producer.counts.rowsInFlight).toBe(2);
    for (let i = 0; i < 3; i++) {
      log.release();
      await settled();
    }
    await Promise.all(sends);
    expect(producer.counts).toMatchObject({ rowsSent: 3, rowsInFlight: 0 });
  });

  it('counts only rows that the log has', async () => {
    const { log, producer } = await setUp();
    log.failure = new Error('no disk');
    await expect(producer.send([ride])).rejects.toThrow('no disk');
    await producer.flush();
    expect(producer.counts).toMatchObject({ rowsSent: 0, rowsInFlight: 0 });
  });

  it('finishes what it has when it is closed, and takes no more', async () => {
    const { log, producer } = await setUp();
    const sent = producer.send([ride]);
    await producer.close();
    await producer.close();
    expect((await sent).sent).toBe(1);
    expect(log.records).toHaveLength(1);
    await expect(producer.send([ride])).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });

  it('sends JSON without a registry, and no Avro', async () => {
    const log = new AppendedLog();
    const json = topicSource({
      name: 'r',
      topic: 'r',
      schema,
      timestampField: 'at',
      format: 'json',
    });
    const producer = await createFeatureProducer({ log: log.log, source: json });
    await producer.send([ride]);
    expect(JSON.parse(Buffer.from(log.records[0]!.value!).toString())).toEqual({
      at: '1970-01-01T00:00:00.005Z',
      city: 'Rome',
      fare: 7,
    });
    await expect(createFeatureProducer({ log: log.log, source })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('uses a schema without registering it only when it is the latest', async () => {
    const registry = new FixedRegistry({});
    const log = new AppendedLog().log;
    const create = () => createFeatureProducer({ log, source, registry, registerSchema: false });
    await expect(create()).rejects.toMatchObject({ code: 'SCHEMA_INCOMPATIBLE' });
    registry.latest = async () => ({ id: 3, version: 2, schema: avroSchemaOf(source) });
    await expect(create()).resolves.toBeDefined();
    registry.latest = async () => ({ id: 3, version: 2, schema: '"int"' });
    await expect(create()).rejects.toThrow('version 2');
  });

  it('refuses bounds that would stop it for ever', async () => {
    await expect(setUp({ rowsInFlightMax: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
