import { describe, expect, it } from 'vitest';
import { partitionForKey } from '../../src/core/murmur2.ts';
import type { Header, LogBatch, ProducedRecord } from '../../src/log/index.ts';
import {
  bytes,
  type LogUnderTest,
  readAll,
  records,
  recordsOf,
  text,
  valuesOf,
  WAIT_MS,
} from './log-support.ts';

/** Appends, and what of them is read. */
export function logWritingSuite(under: LogUnderTest): void {
  describe('appends', () => {
    it('keep their order, and say where each record is', async () => {
      const topic = await under.topic(1);
      const results = await under.log.append(records(topic, 'a', 'b', 'c'));
      expect(results).toEqual([0, 1, 2].map((offset) => ({ topic, partition: 0, offset })));
      expect(await under.log.append(records(topic, 'd'))).toEqual([
        { topic, partition: 0, offset: 3 },
      ]);
      expect(valuesOf(await readAll(under.log, topic))).toEqual(['a', 'b', 'c', 'd']);
    });

    it('of one turn keep the order in which they were called', async () => {
      const topic = await under.topic(1);
      const values = Array.from({ length: 40 }, (_, i) => String(i));
      const results = await Promise.all(
        values.map((value) => under.log.append(records(topic, value))),
      );
      expect(results.map(([result]) => result?.offset)).toEqual(values.map(Number));
      expect(valuesOf(await readAll(under.log, topic))).toEqual(values);
    });

    it('of nothing do nothing', async () => {
      expect(await under.log.append([])).toEqual([]);
    });

    it("place a key where Kafka's own producers place it", async () => {
      const topic = await under.topic(5);
      const keys = Array.from({ length: 40 }, (_, i) => `key-${i * i}`);
      const results = await under.log.append(records(topic, ...keys.map((key) => `${key}=v`)));
      expect(results.map(({ partition }) => partition)).toEqual(
        keys.map((key) => partitionForKey(bytes(key), 5)),
      );
      const read = recordsOf(await readAll(under.log, topic));
      for (const { key, partition } of read) {
        expect(partition).toBe(partitionForKey(key as Uint8Array, 5));
      }
      expect(read).toHaveLength(keys.length);
    });

    it('spread records without a key evenly', async () => {
      const topic = await under.topic(3);
      const counts = [0, 0, 0];
      for (let i = 0; i < 4; i++) {
        for (const { partition } of await under.log.append(records(topic, 'a', 'b', 'c'))) {
          counts[partition] = (counts[partition] as number) + 1;
        }
      }
      expect(counts).toEqual([4, 4, 4]);
    });

    it('put a record where it asks to be, whatever its key', async () => {
      const topic = await under.topic(3);
      const asked = [2, 0, 1, 2];
      const results = await under.log.append(
        asked.map((partition) => ({ topic, partition, key: bytes('k'), value: null })),
      );
      expect(results.map(({ partition }) => partition)).toEqual(asked);
      expect(results.map(({ offset }) => offset)).toEqual([0, 0, 0, 1]);
    });

    it('go to several topics at once', async () => {
      const topics = [await under.topic(1), await under.topic(1)] as const;
      const results = await under.log.append([
        ...records(topics[0], 'a'),
        ...records(topics[1], 'x'),
        ...records(topics[0], 'b'),
      ]);
      expect(results.map(({ topic, offset }) => [topics.indexOf(topic), offset])).toEqual([
        [0, 0],
        [1, 0],
        [0, 1],
      ]);
      expect(valuesOf(await readAll(under.log, topics[0]))).toEqual(['a', 'b']);
    });

    it('with one impossible record write none of them', async () => {
      const topic = await under.topic(1);
      const bad = { topic, partition: 9, key: null, value: null };
      await expect(under.log.append([...records(topic, 'a'), bad])).rejects.toMatchObject({
        code: 'TOPIC_UNKNOWN',
      });
      expect(await under.log.watermarks([{ topic, partition: 0 }])).toMatchObject([{ end: 0 }]);
    });
  });

  describe('erasing', () => {
    it('removes single records and leaves holes, or is refused', async () => {
      const topic = await under.topic(2);
      const other = { topic, partition: 1, key: null, value: bytes('other') };
      const sent = ['a', 'b', 'c', 'd', 'e'].map((value) => ({
        topic,
        partition: 0,
        key: bytes(value),
        value: bytes(value),
        headers: [['h', bytes(value)]] as Header[],
      }));
      await under.log.append([...sent.slice(0, 3), other]);
      await under.log.append(sent.slice(3));
      const erasing = under.log.eraseRecords(
        [4, 0, 1, 17].map((offset) => ({ topic, partition: 0, offset })),
      );
      if (!under.log.capabilities.erase) {
        await expect(erasing).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
        return;
      }
      await erasing;
      const read = recordsOf(await readAll(under.log, topic));
      expect(
        read.map(({ partition, offset, key, headers }) => [partition, offset, text(key), headers]),
      ).toEqual([
        [0, 2, 'c', [['h', 'c']]],
        [0, 3, 'd', [['h', 'd']]],
        [1, 0, null, []],
      ]);
      expect(await under.log.watermarks([{ topic, partition: 0 }])).toMatchObject([
        { start: 0, end: 5 },
      ]);
      await under.log.eraseRecords([2, 3].map((offset) => ({ topic, partition: 0, offset })));
      await under.log.append([sent[0] as ProducedRecord]);
      await using reader = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      const batches: LogBatch[] = [];
      while ((batches.at(-1)?.nextOffset ?? 0) < 6) {
        batches.push(...(await reader.poll({ waitMs: WAIT_MS, maxRecords: 1 })));
      }
      expect(recordsOf(batches).map(({ offset }) => offset)).toEqual([5]);
    });
  });

  describe('records', () => {
    it('tell null from empty, in keys and in values', async () => {
      const topic = await under.topic(1);
      const empty = new Uint8Array(0);
      await under.log.append([
        { topic, key: null, value: null },
        { topic, key: empty, value: empty },
        { topic, key: bytes('k'), value: null },
      ]);
      const read = recordsOf(await readAll(under.log, topic));
      expect(read.map(({ key, value }) => [text(key), text(value)])).toEqual([
        [null, null],
        ['', ''],
        ['k', null],
      ]);
    });

    it('keep bytes of every value, and views into larger arrays', async () => {
      const topic = await under.topic(1);
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      await under.log.append([{ topic, key: all.subarray(3, 200), value: all }]);
      const [read] = recordsOf(await readAll(under.log, topic));
      expect([...(read?.key ?? [])]).toEqual([...all.subarray(3, 200)]);
      expect([...(read?.value ?? [])]).toEqual([...all]);
    });

    it.each<[string, readonly (readonly [string, string])[]]>([
      ['none', []],
      ['one', [['a', 'b']]],
      ['an empty name and an empty value', [['', '']]],
      [
        'a repeated name, in order',
        [
          ['a', '1'],
          ['b', '2'],
          ['a', '3'],
          ['a', ''],
        ],
      ],
      [
        'names that look like numbers, in order',
        [
          ['10', 'x'],
          ['9', 'y'],
          ['10', 'z'],
        ],
      ],
      ['names beyond ASCII', [['é漢', 'ü']]],
    ])('have headers: %s', async (_, headers) => {
      const topic = await under.topic(1);
      const sent = headers.map(([name, value]): Header => [name, bytes(value)]);
      const plain = { topic, key: null, value: bytes('v') };
      await under.log.append([plain, { ...plain, headers: sent }, plain]);
      const read = recordsOf(await readAll(under.log, topic));
      expect(read.map((record) => record.headers)).toEqual([[], headers, []]);
    });

    it('keep the time of their producer under CreateTime, in any order', async () => {
      const topic = await under.topic(1);
      const times = [1_700_000_000_123, 5, 1_600_000_000_000, 5];
      await under.log.append(
        times.map((timestampMs) => ({ topic, key: null, value: null, timestampMs })),
      );
      const batches = await readAll(under.log, topic);
      expect(recordsOf(batches).map(({ timestampMs }) => timestampMs)).toEqual(times);
      expect(batches[0]?.timestampType).toBe('CreateTime');
    });

    it("have the log's own time under LogAppendTime, which never goes back", async () => {
      const topic = await under.topic(1, { timestampType: 'LogAppendTime' });
      const record = { topic, key: null, value: null, timestampMs: 5 };
      for (let i = 0; i < 5; i++) await under.log.append([record, record]);
      const batches = await readAll(under.log, topic);
      const times = recordsOf(batches).map(({ timestampMs }) => timestampMs);
      expect(batches[0]?.timestampType).toBe('LogAppendTime');
      expect(times).toHaveLength(10);
      expect(Math.min(...times)).toBeGreaterThan(1_600_000_000_000);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it('may be as large as half a megabyte', async () => {
      const topic = await under.topic(1);
      const value = Uint8Array.from({ length: 500_000 }, (_, i) => (i * 7) % 251);
      await under.log.append([{ topic, key: null, value }, ...records(topic, 'after')]);
      const read = recordsOf(await readAll(under.log, topic));
      expect(Buffer.compare(read[0]?.value as Uint8Array, value)).toBe(0);
      expect(text(read[1]?.value)).toBe('after');
    });
  });
}
