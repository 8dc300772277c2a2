/** Members of a group in logs of their own, as in processes of their own. */
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Log, TopicPartition } from '../../../src/log/index.ts';
import { drive, Member, SharedState } from '../../contract/log-groups.ts';
import { bytes } from '../../contract/log-support.ts';
import { brokers, describeKafka, openLog, prefix } from './support.ts';

const PARTITIONS = 6;

describeKafka('a group over several processes', () => {
  let log: Log;
  let named = 0;
  beforeAll(async () => {
    log = await openLog();
  });
  afterAll(() => log.close());

  const newTopic = async (): Promise<string> => {
    const topic = `${prefix}group-${++named}`;
    await log.createTopic({ topic, partitions: PARTITIONS, timestampType: 'CreateTime' });
    return topic;
  };
  const appendTo = async (topic: string, value: string): Promise<void> => {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await log.append(
      partitions.map((partition) => ({ topic, partition, key: null, value: bytes(value) })),
    );
  };

  it('loses and doubles nothing while members come and go under load', async () => {
    const topic = await newTopic();
    const state = new SharedState();
    const logs = [await openLog(), await openLog(), await openLog()] as const;
    const members = [await Member.join(logs[0], topic, [topic], state)];
    const load = (turn: number): Promise<void> => appendTo(topic, String(turn));
    const joining = async (turn: number): Promise<void> => {
      await load(turn);
      if (turn === 5) members.push(await Member.join(logs[1], topic, [topic], state));
      if (turn === 15) members.push(await Member.join(logs[2], topic, [topic], state));
    };
    await drive(members, async () => members[2]?.partitions().length === 2, joining);
    expect(members.map((member) => member.partitions().length)).toEqual([2, 2, 2]);
    await members.shift()?.close();
    await logs[0].close();
    await drive(members, () => members.every((member) => member.partitions().length === 3), load);
    await members.pop()?.close();
    await drive(members, async () => {
      return members[0]?.partitions().length === 6 && state.isComplete(log, topic, PARTITIONS);
    });
    expect(state.doubled).toEqual([]);
    await Promise.all(logs.map((each) => each.close()));
  }, 120_000);

  it('goes on without a member that falls silent, which is told and can change nothing', async () => {
    const topic = await newTopic();
    const lost: TopicPartition[] = [];
    const revoked: TopicPartition[] = [];
    const timing = { sessionTimeoutMs: 1_500, rebalanceTimeoutMs: 3_000 };
    // It says that it lives more seldom than the group waits: as if its process were frozen.
    await using frozen = await openLog({ ...timing, heartbeatMs: 4_000 });
    const zombie = await frozen.join({
      group: topic,
      topics: [topic],
      onAssigned: (tps) => tps.map((tp) => ({ ...tp, offset: 0 })),
      onRevoked: async (tps) => void revoked.push(...tps),
      onLost: async (tps) => void lost.push(...tps),
    });
    const before = zombie.generation;
    await appendTo(topic, 'a');
    expect(zombie.assignment).toHaveLength(PARTITIONS);

    const state = new SharedState();
    await using heir = await Member.join(await openLog(timing), topic, [topic], state);
    await drive([heir], () => heir.partitions().length === PARTITIONS);
    await drive([heir], () => state.count() === PARTITIONS);
    await expect(
      frozen.commitOffsets(topic, [{ topic, partition: 0, offset: 1 }]),
    ).rejects.toMatchObject({ code: 'LOG_FENCED' });

    for (let polls = 0; lost.length === 0 && polls < 100; polls++)
      await zombie.poll({ waitMs: 100 });
    expect(lost).toHaveLength(PARTITIONS);
    expect(revoked).toEqual([]);
    expect(zombie.generation).toBeGreaterThan(before);
  });

  it('takes up partitions that are added to a topic', async () => {
    const topic = await newTopic();
    await using quick = await openLog({ partitionsCheckMs: 200 });
    await using member = await Member.join(quick, topic, [topic], new SharedState());
    expect(member.partitions()).toHaveLength(PARTITIONS);
    const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count: PARTITIONS + 2 }] });
    await admin.disconnect();
    await drive([member], () => member.partitions().length === PARTITIONS + 2);
    expect(member.events).toEqual(['assigned 0 1 2 3 4 5', 'assigned 6 7']);
  });

  it('shows where it is to other tools, and takes positions once nobody is in it', async () => {
    const topic = await newTopic();
    const tp = { topic, partition: 3 };
    await using elsewhere = await openLog();
    const member = await Member.join(elsewhere, topic, [topic], new SharedState());
    await elsewhere.commitOffsets(topic, [{ ...tp, offset: 5 }]);
    expect(await log.committedOffsets(topic, [tp])).toEqual([5]);
    const refused = log.commitOffsets(topic, [{ ...tp, offset: 9 }]);
    await expect(refused).rejects.toMatchObject({ code: 'LOG_FENCED' });
    await member.close();
    await log.commitOffsets(topic, [{ ...tp, offset: 7 }]);
    expect(await log.committedOffsets(topic, [tp])).toEqual([7]);
  });
});
