/** What a broker makes of records: packs them, removes them, ends transactions among them. */
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { COMPRESSIONS } from '../../../connectors/kafka/codecs.ts';
import type { Log } from '../../../src/log/index.ts';
import {
  bytes,
  readAll,
  records,
  recordsOf,
  take,
  valuesOf,
  WAIT_MS,
} from '../../contract/log-support.ts';
import { brokers, describeKafka, openLog, prefix } from './support.ts';

describeKafka('records on a broker', () => {
  let log: Log;
  let named = 0;
  beforeAll(async () => {
    log = await openLog();
  });
  afterAll(() => log.close());

  const newTopic = async (settings: Record<string, string> = {}): Promise<string> => {
    const topic = `${prefix}stored-${++named}`;
    await log.createTopic({ topic, partitions: 1, timestampType: 'CreateTime', settings });
    return topic;
  };

  it.each(COMPRESSIONS.slice(1))('are read when the broker packs them with %s', async (codec) => {
    const topic = await newTopic({ 'compression.type': codec });
    const values = Array.from({ length: 300 }, (_, i) => `value ${i} `.repeat(20));
    await log.append(records(topic, ...values));
    expect(valuesOf(await readAll(log, topic))).toEqual(values);
  });

  it.each(COMPRESSIONS)('are unpacked by the broker when we pack them with %s', async (codec) => {
    const topic = await newTopic({ 'compression.type': 'uncompressed' });
    await using packing = await openLog({ compression: codec });
    const values = Array.from({ length: 300 }, (_, i) => `value ${i} `.repeat(20));
    await packing.append(records(topic, ...values));
    expect(valuesOf(await readAll(log, topic))).toEqual(values);
  });

  it('are read as another client writes them', async () => {
    const topic = await newTopic();
    const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({
      topic,
      compression: CompressionTypes.GZIP,
      messages: [
        { key: 'k', value: 'v', headers: { a: ['1', '2'], b: 'x' }, timestamp: '5000' },
        { key: null, value: null },
      ],
    });
    await producer.disconnect();
    const [first, second] = recordsOf(await readAll(log, topic));
    expect(first).toMatchObject({ timestampMs: 5_000, offset: 0 });
    expect(first?.headers).toEqual([
      ['a', '1'],
      ['a', '2'],
      ['b', 'x'],
    ]);
    expect(second).toMatchObject({ key: null, value: null, headers: [] });
  });

  it('of aborted and open transactions are not shown, and markers are stepped over', async () => {
    const topic = await newTopic();
    const tp = { topic, partition: 0 };
    const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer({
      transactionalId: topic,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    const isEnd = async (end: number) => (await log.watermarks([tp]))[0]?.end === end;
    let sent = 0;
    const send = async (end: 'commit' | 'abort', ...values: string[]): Promise<void> => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: values.map((value) => ({ value })) });
      await transaction[end]();
      // The transaction has ended before its marker is everywhere.
      sent += values.length + 1;
      expect(await until(() => isEnd(sent))).toBe(true);
    };
    await send('commit', 'a', 'b'); // 0, 1 and the marker 2
    await send('abort', 'never', 'never'); // 3, 4 and the marker 5
    await log.append(records(topic, 'plain')); // 6
    sent++;
    await send('commit', 'c'); // 7 and the marker 8
    await send('abort', 'never'); // 9 and the marker 10

    await using reader = await log.assign([{ ...tp, offset: 0 }]);
    const offsets: number[] = [];
    const values: unknown[] = [];
    let nextOffset = 0;
    while (nextOffset < 11) {
      const [batch] = await reader.poll({ waitMs: WAIT_MS, maxRecords: 1 });
      if (batch === undefined) throw new Error(`nothing more came after ${nextOffset}`);
      offsets.push(...batch.offsets);
      values.push(...valuesOf([batch]));
      expect(batch.nextOffset).toBeGreaterThan(nextOffset);
      nextOffset = batch.nextOffset;
    }
    expect([offsets, values]).toEqual([
      [0, 1, 6, 7],
      ['a', 'b', 'plain', 'c'],
    ]);

    const open = await producer.transaction();
    await open.send({ topic, messages: [{ value: 'open' }] });
    await log.append(records(topic, 'behind'));
    expect(await reader.poll({ waitMs: 600 })).toEqual([]);
    expect(await log.watermarks([tp])).toMatchObject([{ end: 11 }]);
    await open.commit();
    expect(valuesOf(await take(reader, 2))).toEqual(['open', 'behind']);
    await producer.disconnect();
  });

  it('that compaction removed are stepped over from any cursor', async () => {
    const topic = await newTopic({
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0.01',
      'segment.ms': '200',
      'segment.bytes': '1048576',
      'delete.retention.ms': '0',
    });
    const tp = { topic, partition: 0 };
    for (let i = 0; i < 60; i++) await log.append(records(topic, `k${i % 3}=${i}`));
    const compacted = await until(async () => {
      // Another record closes the segment that was written last.
      await log.append(records(topic, 'k3=tick'));
      const kept = recordsOf(await readAll(log, topic));
      return kept.filter(({ key }) => Buffer.from(key!).toString() !== 'k3').length <= 3;
    });
    expect(compacted).toBe(true);
    const kept = recordsOf(await readAll(log, topic));
    const first = kept[0]!.offset;
    expect(first).toBeGreaterThan(0);
    for (const offset of [0, 1, first - 1, first]) {
      await using reader = await log.assign([{ ...tp, offset }]);
      const [batch] = await take(reader, 1);
      expect(batch?.offsets[0]).toBe(first);
      expect(batch?.logStartOffset).toBe(0);
    }
  });

  it('that retention removed under a reader are a gap that names them', async () => {
    const topic = `${prefix}retention`;
    const settings = { 'segment.ms': '200', 'file.delete.delay.ms': '0' };
    await log.createTopic({
      topic,
      partitions: 1,
      timestampType: 'LogAppendTime',
      retentionMs: 500,
      settings,
    });
    const tp = { topic, partition: 0 };
    await log.append(records(topic, 'a', 'b', 'c'));
    await using reader = await log.assign([{ ...tp, offset: 1 }]);
    const removed = await until(async () => {
      await log.append(records(topic, 'tick'));
      const [marks] = await log.watermarks([tp]);
      return marks!.start > 3;
    });
    expect(removed).toBe(true);
    await expect(reader.poll({ waitMs: WAIT_MS })).rejects.toMatchObject({
      code: 'OFFSET_GAP',
      message: expect.stringMatching(/records 1 to \d+ were removed/),
      where: { ...tp, offset: 1 },
    });
  });

  it('that are too large are refused, and those beside them are not', async () => {
    const topic = await newTopic({ 'max.message.bytes': '20000' });
    const large = { topic, key: null, value: new Uint8Array(30_000) };
    const small = Array.from({ length: 40 }, (_, i) => ({
      topic,
      key: null,
      value: bytes(String(i).padEnd(5_000)),
    }));
    const results = await Promise.allSettled([
      log.append(small),
      log.append([large]),
      log.append(records(topic, 'after')),
    ]);
    expect(results[0]).toMatchObject({ status: 'fulfilled' });
    expect(results[1]).toMatchObject({ reason: { code: 'RECORD_TOO_LARGE', where: { topic } } });
    expect(results[2]).toMatchObject({ status: 'fulfilled' });
    const values = valuesOf(await readAll(log, topic)).map((value) => (value as string).trim());
    expect(values).toEqual([...small.map((_, i) => String(i)), 'after']);
  });

  it('of a million bytes and more go in several batches', async () => {
    const topic = await newTopic();
    const values = Array.from({ length: 3_000 }, (_, i) => String(i).padEnd(1_500, '.'));
    const results = await log.append(records(topic, ...values));
    expect(results.map(({ offset }) => offset)).toEqual(values.map((_, i) => i));
    expect(valuesOf(await readAll(log, topic))).toEqual(values);
  });
});

/** The broker cleans in its own time; 30 seconds are plenty. */
async function until(isDone: () => Promise<boolean>): Promise<boolean> {
  for (let check = 0; check < 300; check++) {
    if (await isDone()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
