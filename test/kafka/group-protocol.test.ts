import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignPartitions,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../connectors/kafka/group-protocol.ts';
import { type TopicPartition, topicPartitionName } from '../../src/log/index.ts';

const tps = (topic: string, ...partitions: number[]): TopicPartition[] =>
  partitions.map((partition) => ({ topic, partition }));
const member = (memberId: string, owned: TopicPartition[], topics = ['a']) => ({
  memberId,
  topics,
  owned,
});

describe('the protocol of a group', () => {
  it('survives the wire', () => {
    const owned = [...tps('a', 3, 1), ...tps('b', 0)];
    const subscription = { topics: ['a', 'b'], owned };
    expect(decodeSubscription(encodeSubscription(subscription))).toEqual(subscription);
    expect(decodeAssignment(encodeAssignment(owned))).toEqual(owned);
    expect(decodeAssignment(encodeAssignment([]))).toEqual([]);
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([]);
  });

  it('has the bytes of Kafka', () => {
    expect(encodeSubscription({ topics: ['a'], owned: tps('a', 2) }).toString('hex')).toBe(
      '0001' + '00000001000161' + '00000000' + '00000001000161' + '0000000100000002',
    );
    expect(encodeAssignment(tps('a', 2)).toString('hex')).toBe(
      '0000' + '00000001000161' + '0000000100000002' + '00000000',
    );
  });
});

describe('an assignment', () => {
  it('leaves partitions where they are, and what must move with nobody', () => {
    const all = tps('a', 0, 1, 2, 3);
    const joined = assignPartitions([member('m', all), member('n', [])], all);
    expect(joined.get('m')).toEqual(tps('a', 0, 1));
    expect(joined.get('n')).toEqual([]);
    const released = assignPartitions([member('m', tps('a', 0, 1)), member('n', [])], all);
    expect(released.get('m')).toEqual(tps('a', 0, 1));
    expect(released.get('n')).toEqual(tps('a', 2, 3));
  });

  it('gives a member its own topics alone', () => {
    const all = [...tps('a', 0, 1), ...tps('b', 0)];
    const members = [member('m', [], ['a']), member('n', [], ['b'])];
    const assigned = assignPartitions(members, all);
    expect(assigned.get('m')).toEqual(tps('a', 0, 1));
    expect(assigned.get('n')).toEqual(tps('b', 0));
  });

  it('ends balanced with every partition owned once, however members come and go', () => {
    const changeArbitrary = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.nat({ max: 12 }), changeArbitrary, (count, changes) => {
        const all = tps('a', ...Array.from({ length: count }, (_, i) => i));
        const owned = new Map<string, TopicPartition[]>();
        for (const change of changes) {
          const name = `m${change}`;
          if (owned.has(name)) owned.delete(name);
          else owned.set(name, []);
          settle(owned, all);
        }
        if (owned.size === 0) return;
        const names = [...owned.values()].flat().map(topicPartitionName);
        expect(names.toSorted()).toEqual(all.map(topicPartitionName).toSorted());
        const share = Math.ceil(count / owned.size);
        for (const list of owned.values()) expect(list.length).toBeLessThanOrEqual(share);
      }),
    );
  });
});

/** Rounds of a group until nobody gives anything up; at no time has a partition two owners. */
function settle(owned: Map<string, TopicPartition[]>, all: readonly TopicPartition[]): void {
  for (let round = 0; round < 4; round++) {
    const members = [...owned].map(([memberId, list]) => member(memberId, list));
    const assigned = assignPartitions(members, all);
    let hasReleased = false;
    for (const [name, list] of owned) {
      const mine = assigned.get(name) as TopicPartition[];
      const given = new Set(mine.map(topicPartitionName));
      if (list.some((tp) => !given.has(topicPartitionName(tp)))) hasReleased = true;
    }
    const names = [...assigned.values()].flat().map(topicPartitionName);
    expect(new Set(names).size).toBe(names.length);
    for (const name of owned.keys()) owned.set(name, assigned.get(name) as TopicPartition[]);
    if (!hasReleased) return;
  }
  throw new Error('the group does not come to rest');
}
