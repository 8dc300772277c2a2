import { describe, expect, it } from 'vitest';
import type { Log } from '../../src/log/index.ts';
import {
  bytes,
  type LogUnderTest,
  records,
  recordsOf,
  take,
  valuesOf,
  WAIT_MS,
} from './log-support.ts';

/** Readers of fixed partitions, and the end of a log. */
export function logReadingSuite(under: LogUnderTest): void {
  describe('readers', () => {
    it('start at their cursors and go on from poll to poll', async () => {
      const topic = await under.topic(1);
      await under.log.append(records(topic, 'a', 'b', 'c', 'd'));
      await using reader = await under.log.assign([{ topic, partition: 0, offset: 1 }]);
      expect(reader.assignment).toEqual([{ topic, partition: 0 }]);
      const [batch] = await take(reader, 2, { maxRecords: 2 });
      expect(batch).toMatchObject({
        topic,
        partition: 0,
        count: 2,
        nextOffset: 3,
        highWatermark: 4,
        logStartOffset: 0,
      });
      expect([...(batch?.offsets ?? [])]).toEqual([1, 2]);
      expect(valuesOf(await take(reader, 1))).toEqual(['d']);
      expect(await reader.poll()).toEqual([]);
    });

    it('read several partitions, at most one batch of each a poll', async () => {
      const topic = await under.topic(3);
      for (const partition of [0, 1, 2, 0, 1, 2]) {
        await under.log.append([{ topic, partition, key: null, value: bytes(`${partition}`) }]);
      }
      await using reader = await under.log.assign(
        [0, 2].map((partition) => ({ topic, partition, offset: 0 })),
      );
      const seen = new Map<number, number>();
      while ([...seen.values()].reduce((a, b) => a + b, 0) < 4) {
        const batches = await reader.poll({ waitMs: WAIT_MS });
        expect(batches.length).toBeGreaterThan(0);
        expect(new Set(batches.map(({ partition }) => partition)).size).toBe(batches.length);
        for (const { partition, count } of batches) {
          seen.set(partition, (seen.get(partition) ?? 0) + count);
        }
      }
      expect(seen).toEqual(
        new Map([
          [0, 2],
          [2, 2],
        ]),
      );
    });

    it('give at most so many records and bytes, and one that is larger', async () => {
      const topic = await under.topic(1);
      const sizes = [10, 10, 10, 5_000, 10, 10];
      const sent = sizes.map((size) => ({ topic, key: null, value: new Uint8Array(size) }));
      await under.log.append(sent);
      await using reader = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      const counts: number[] = [];
      for (let found = 0; found < sizes.length; ) {
        const [batch] = await take(reader, 1, { maxRecords: 4, maxBytes: 25 });
        counts.push(batch?.count as number);
        found += batch?.count as number;
      }
      expect(counts).toEqual([2, 1, 1, 2]);
    });

    it('wait for records, and wake when they come', async () => {
      const topic = await under.topic(1);
      await using reader = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      const polled = reader.poll({ waitMs: WAIT_MS });
      await under.log.append(records(topic, 'a'));
      expect(valuesOf(await polled)).toEqual(['a']);
    });

    it('do not wake for records of others, and come back empty in time', async () => {
      const [topic, other] = [await under.topic(1), await under.topic(1)];
      await using reader = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      const startMs = Date.now();
      const polled = reader.poll({ waitMs: 300 });
      await under.log.append(records(other, 'a'));
      expect(await polled).toEqual([]);
      expect(Date.now() - startMs).toBeGreaterThanOrEqual(290);
    });

    it('stop waiting when they are aborted or closed', async () => {
      const topic = await under.topic(1);
      const reader = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      const stop = new AbortController();
      const polled = reader.poll({ waitMs: 600_000, signal: stop.signal });
      stop.abort();
      expect(await polled).toEqual([]);
      expect(await reader.poll({ waitMs: 600_000, signal: stop.signal })).toEqual([]);
      const last = reader.poll({ waitMs: 600_000 });
      await reader.close();
      expect(await last).toEqual([]);
      await reader.close();
      await expect(reader.poll()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    });

    it('give nothing of paused partitions, and go on where they were', async () => {
      const topic = await under.topic(2);
      const both = [0, 1].map((partition) => ({ topic, partition }));
      await using reader = await under.log.assign(both.map((tp) => ({ ...tp, offset: 0 })));
      const append = (value: string) =>
        under.log.append(both.map((tp) => ({ ...tp, key: null, value: bytes(value) })));
      await append('a');
      await take(reader, 2);
      reader.pause([{ topic, partition: 0 }]);
      await append('b');
      const paused = recordsOf(await take(reader, 1));
      expect(paused.map(({ partition }) => partition)).toEqual([1]);
      expect(await reader.poll({ waitMs: 200 })).toEqual([]);
      const polled = reader.poll({ waitMs: WAIT_MS });
      reader.resume([{ topic, partition: 0 }]);
      expect(recordsOf(await polled).map(({ partition, offset }) => [partition, offset])).toEqual([
        [0, 1],
      ]);
    });

    it('go to where they are sought, back and forth', async () => {
      const topic = await under.topic(1);
      await under.log.append(records(topic, 'a', 'b', 'c'));
      await using reader = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      expect(valuesOf(await take(reader, 3))).toEqual(['a', 'b', 'c']);
      reader.seek({ topic, partition: 0, offset: 1 });
      expect(valuesOf(await take(reader, 1, { maxRecords: 1 }))).toEqual(['b']);
      reader.seek({ topic, partition: 0, offset: 3 });
      expect(await reader.poll({ waitMs: 200 })).toEqual([]);
      await under.log.append(records(topic, 'd'));
      expect(valuesOf(await take(reader, 1))).toEqual(['d']);
      expect(() => reader.seek({ topic, partition: 7, offset: 0 })).toThrow(
        expect.objectContaining({ code: 'LOG_FENCED' }),
      );
    });

    it('say which records were removed before they could read them', async () => {
      const topic = await under.topic(1);
      const tp = { topic, partition: 0 };
      await under.log.append(records(topic, 'a', 'b', 'c', 'd'));
      await using reader = await under.log.assign([{ ...tp, offset: 1 }]);
      await under.log.deleteRecordsBefore(tp, 3);
      const gap = {
        code: 'OFFSET_GAP',
        message: expect.stringMatching(/\b1\b.*\b2\b/),
        where: { ...tp, offset: 1 },
      };
      await expect(reader.poll({ waitMs: WAIT_MS })).rejects.toMatchObject(gap);
      await expect(reader.poll({ waitMs: WAIT_MS })).rejects.toMatchObject(gap);
      reader.seek({ ...tp, offset: 3 });
      const batches = await take(reader, 1);
      expect(valuesOf(batches)).toEqual(['d']);
      expect(batches[0]?.logStartOffset).toBe(3);
      await under.log.deleteRecordsBefore(tp, 2);
      expect(await under.log.watermarks([tp])).toMatchObject([{ start: 3, end: 4 }]);
      await under.log.deleteRecordsBefore(tp, 4);
      expect(await under.log.watermarks([tp])).toMatchObject([{ start: 4, end: 4 }]);
    });

    it('refuse a cursor past the end, and still read their other partitions', async () => {
      const topic = await under.topic(2);
      await under.log.append([{ topic, partition: 1, key: null, value: bytes('a') }]);
      await using reader = await under.log.assign([
        { topic, partition: 0, offset: 5 },
        { topic, partition: 1, offset: 0 },
      ]);
      const values: unknown[] = [];
      const readOn = async (): Promise<void> => {
        // What comes of others before the error is delivered.
        while (true) values.push(...valuesOf(await take(reader, 1)));
      };
      await expect(readOn()).rejects.toMatchObject({
        code: 'OFFSET_RESET',
        where: { topic, partition: 0, offset: 5 },
      });
      reader.pause([{ topic, partition: 0 }]);
      if (values.length === 0) values.push(...valuesOf(await take(reader, 1)));
      expect(values).toEqual(['a']);
    });

    it('fail when their topic is deleted', async () => {
      const topic = await under.topic(1);
      await using reader = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      await under.log.deleteTopic(topic);
      const fails = async (): Promise<void> => {
        for (let polls = 0; polls < 20; polls++) await reader.poll({ waitMs: 500 });
      };
      await expect(fails()).rejects.toMatchObject({ code: 'TOPIC_UNKNOWN' });
    });

    it('read the same records beside each other', async () => {
      const topic = await under.topic(1);
      await under.log.append(records(topic, 'a', 'b'));
      await using one = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      await using two = await under.log.assign([{ topic, partition: 0, offset: 0 }]);
      expect(valuesOf(await take(one, 2))).toEqual(['a', 'b']);
      expect(valuesOf(await take(two, 2))).toEqual(['a', 'b']);
    });

    it('may have no partitions', async () => {
      await using reader = await under.log.assign([]);
      expect(await reader.poll({ waitMs: 50 })).toEqual([]);
    });
  });

  describe('close', () => {
    it('may be repeated, closes the readers and refuses every later use', async () => {
      const log: Log = await under.open();
      const topic = under.name('closed');
      const tp = { topic, partition: 0 };
      await log.createTopic({ topic, partitions: 1 });
      const reader = await log.assign([{ ...tp, offset: 0 }]);
      const polled = reader.poll({ waitMs: 600_000 });
      await Promise.all([log.close(), log.close()]);
      await log.close();
      expect(await polled).toEqual([]);
      const closed = { code: 'STORE_CLOSED' };
      await expect(reader.poll()).rejects.toMatchObject(closed);
      await expect(log.append(records(topic, 'a'))).rejects.toMatchObject(closed);
      await expect(log.assign([])).rejects.toMatchObject(closed);
      const callbacks = { onAssigned: () => [], onRevoked: async () => {} };
      await expect(log.join({ group: 'g', topics: [topic], ...callbacks })).rejects.toMatchObject(
        closed,
      );
      await expect(log.createTopic({ topic, partitions: 1 })).rejects.toMatchObject(closed);
      await expect(log.deleteTopic(topic)).rejects.toMatchObject(closed);
      await expect(log.listTopics()).rejects.toMatchObject(closed);
      await expect(log.describeTopic(topic)).rejects.toMatchObject(closed);
      await expect(log.watermarks([tp])).rejects.toMatchObject(closed);
      await expect(log.offsetForTime(tp, 0)).rejects.toMatchObject(closed);
      await expect(log.committedOffsets('g', [tp])).rejects.toMatchObject(closed);
      await expect(log.commitOffsets('g', [{ ...tp, offset: 0 }])).rejects.toMatchObject(closed);
      await expect(log.deleteRecordsBefore(tp, 0)).rejects.toMatchObject(closed);
    });

    it('waits for appends under way', async () => {
      const log = await under.open();
      const topic = under.name('closing');
      await log.createTopic({ topic, partitions: 1 });
      const appended = log.append(records(topic, 'a', 'b'));
      await log.close();
      expect((await appended).map(({ offset }) => offset)).toEqual([0, 1]);
    });
  });
}
