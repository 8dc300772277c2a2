import { describe, expect, it } from 'vitest';
import { type LogUnderTest, readAll, records, valuesOf } from './log-support.ts';

/** Topics, and the positions of their partitions. */
export function logTopicsSuite(under: LogUnderTest): void {
  describe('topics', () => {
    it('are created once, and a second time without a change', async () => {
      const spec = { topic: under.name('once'), partitions: 2, retentionMs: 3_600_000 };
      expect(await under.log.createTopic(spec)).toEqual({ created: true });
      expect(await under.log.createTopic(spec)).toEqual({ created: false });
      expect(await under.log.describeTopic(spec.topic)).toMatchObject({
        topic: spec.topic,
        partitions: 2,
        timestampType: 'LogAppendTime',
        retentionMs: 3_600_000,
        retentionBytes: null,
      });
      expect(await under.log.listTopics()).toContain(spec.topic);
    });

    it('keep their records for ever unless told otherwise', async () => {
      const topic = await under.topic(1);
      expect(await under.log.describeTopic(topic)).toMatchObject({
        timestampType: 'CreateTime',
        retentionMs: null,
        retentionBytes: null,
      });
    });

    it.each([
      ['partitions', { partitions: 3 }, /partitions.* 2\b.* 3\b/],
      ['timestampType', { timestampType: 'LogAppendTime' as const }, /timestampType/],
      ['retentionMs', { retentionMs: 60_000 }, /retentionMs/],
      ['retentionBytes', { retentionBytes: 1_000_000 }, /retentionBytes/],
    ])('are refused when they exist with other %s', async (_, change, message) => {
      const topic = await under.topic(2);
      const spec = { topic, partitions: 2, timestampType: 'CreateTime' as const, ...change };
      await expect(under.log.createTopic(spec)).rejects.toMatchObject({
        code: 'TOPIC_MISMATCH',
        message: expect.stringMatching(message),
        where: { topic },
      });
    });

    it.each([
      ['a name with a space', { topic: 'a b', partitions: 1 }],
      ['an empty name', { topic: '', partitions: 1 }],
      ['a dot for a name', { topic: '.', partitions: 1 }],
      ['no partitions', { topic: 'none', partitions: 0 }],
    ])('are refused with %s', async (_, spec) => {
      await expect(under.log.createTopic(spec)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });

    it('are unknown before they are created, whatever is asked of them', async () => {
      const topic = under.name('nobody');
      const tp = { topic, partition: 0 };
      const unknown = { code: 'TOPIC_UNKNOWN', where: { topic } };
      const { log } = under;
      await expect(log.describeTopic(topic)).rejects.toMatchObject(unknown);
      await expect(log.deleteTopic(topic)).rejects.toMatchObject(unknown);
      await expect(log.append(records(topic, 'a'))).rejects.toMatchObject(unknown);
      await expect(log.watermarks([tp])).rejects.toMatchObject(unknown);
      await expect(log.offsetForTime(tp, 0)).rejects.toMatchObject(unknown);
      await expect(log.deleteRecordsBefore(tp, 0)).rejects.toMatchObject(unknown);
      await expect(log.assign([{ ...tp, offset: 0 }])).rejects.toMatchObject(unknown);
      const callbacks = { onAssigned: () => [], onRevoked: async () => {} };
      const group = under.name('group');
      await expect(log.join({ group, topics: [topic], ...callbacks })).rejects.toMatchObject(
        unknown,
      );
    });

    it('have no partitions beyond their number', async () => {
      const topic = await under.topic(2);
      const tp = { topic, partition: 2 };
      const unknown = { code: 'TOPIC_UNKNOWN' };
      await expect(under.log.watermarks([tp])).rejects.toMatchObject(unknown);
      await expect(under.log.assign([{ ...tp, offset: 0 }])).rejects.toMatchObject(unknown);
      const record = { topic, partition: 2, key: null, value: null };
      await expect(under.log.append([record])).rejects.toMatchObject(unknown);
    });

    it('are gone with their records when deleted, and new when made again', async () => {
      const topic = await under.topic(1);
      await under.log.append(records(topic, 'old', 'old'));
      const before = await under.log.describeTopic(topic);
      await under.log.deleteTopic(topic);
      expect(await under.log.listTopics()).not.toContain(topic);
      await expect(under.log.describeTopic(topic)).rejects.toMatchObject({
        code: 'TOPIC_UNKNOWN',
      });

      await under.log.createTopic({ topic, partitions: 1, timestampType: 'CreateTime' });
      const after = await under.log.describeTopic(topic);
      if (after.topicId !== null) expect(after.topicId).not.toBe(before.topicId);
      await under.log.append(records(topic, 'new'));
      expect(valuesOf(await readAll(under.log, topic))).toEqual(['new']);
      await using stale = await under.log.assign([{ topic, partition: 0, offset: 2 }]);
      await expect(stale.poll({ waitMs: 2_000 })).rejects.toMatchObject({ code: 'OFFSET_RESET' });
    });
  });

  describe('positions', () => {
    it('are the first record and the end, in the order asked', async () => {
      const topic = await under.topic(2);
      await under.log.append([
        { topic, partition: 1, key: null, value: null },
        { topic, partition: 1, key: null, value: null },
        { topic, partition: 0, key: null, value: null },
      ]);
      await under.log.deleteRecordsBefore({ topic, partition: 1 }, 1);
      const tps = [1, 0, 1].map((partition) => ({ topic, partition }));
      expect(await under.log.watermarks(tps)).toEqual([
        { topic, partition: 1, start: 1, end: 2 },
        { topic, partition: 0, start: 0, end: 1 },
        { topic, partition: 1, start: 1, end: 2 },
      ]);
      expect(await under.log.watermarks([])).toEqual([]);
    });

    it('of a time are the first record at or after it, however times lie', async () => {
      const topic = await under.topic(1);
      const times = [1_000, 5_000, 3_000, 3_000, 9_000, 2_000];
      for (const timestampMs of times) {
        await under.log.append([{ topic, key: null, value: bytesOf(timestampMs), timestampMs }]);
      }
      for (const asked of [0, 1_000, 1_001, 3_000, 5_000, 5_001, 9_000]) {
        expect([asked, await under.log.offsetForTime({ topic, partition: 0 }, asked)]).toEqual([
          asked,
          times.findIndex((time) => time >= asked),
        ]);
      }
      expect(await under.log.offsetForTime({ topic, partition: 0 }, 9_001)).toBeNull();
    });

    it('of a time lie within what is still there', async () => {
      const topic = await under.topic(1);
      const tp = { topic, partition: 0 };
      expect(await under.log.offsetForTime(tp, 0)).toBeNull();
      const at = (timestampMs: number) => ({ topic, key: null, value: null, timestampMs });
      await under.log.append([at(1_000), at(2_000), at(3_000)]);
      await under.log.deleteRecordsBefore(tp, 2);
      expect(await under.log.offsetForTime(tp, 0)).toBe(2);
    });

    it("of a time follow the log's own clock under LogAppendTime", async () => {
      const topic = await under.topic(1, { timestampType: 'LogAppendTime' });
      for (const value of ['a', 'b', 'c', 'd']) await under.log.append(records(topic, value));
      const [first, ...rest] = await readAll(under.log, topic);
      const times = [first, ...rest].flatMap((batch) => [...(batch?.timestampsMs ?? [])]);
      for (const time of [...times, (times[0] as number) - 1]) {
        expect(await under.log.offsetForTime({ topic, partition: 0 }, time)).toBe(
          times.findIndex((other) => other >= time),
        );
      }
      const later = (times.at(-1) as number) + 1;
      expect(await under.log.offsetForTime({ topic, partition: 0 }, later)).toBeNull();
    });

    it('of a group are what was committed, and null before', async () => {
      const topic = await under.topic(2);
      const group = under.name('group');
      const tps = [0, 1].map((partition) => ({ topic, partition }));
      expect(await under.log.committedOffsets(group, tps)).toEqual([null, null]);
      await under.log.commitOffsets(group, [{ topic, partition: 1, offset: 7 }]);
      expect(await under.log.committedOffsets(group, tps)).toEqual([null, 7]);
      await under.log.commitOffsets(group, [
        { topic, partition: 0, offset: 0 },
        { topic, partition: 1, offset: 3 },
      ]);
      expect(await under.log.committedOffsets(group, tps.toReversed())).toEqual([3, 0]);
      expect(await under.log.committedOffsets(under.name('group'), tps)).toEqual([null, null]);
    });
  });
}

function bytesOf(value: number): Uint8Array {
  return new Uint8Array(Buffer.from(String(value)));
}
