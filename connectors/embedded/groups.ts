import type { Cursor, GroupMembership, TopicPartition } from '../../src/log/index.ts';
import type { EmbeddedReader } from './reader.ts';

interface Member {
  readonly membership: GroupMembership;
  readonly reader: EmbeddedReader;
}

/**
 * Consumer groups among the readers of one process: each partition belongs to one member. A member
 * that joins or leaves moves as few partitions as evens them out.
 */
export class Groups {
  readonly #groups = new Map<string, Member[]>();
  readonly #partitionsOf: (topic: string) => TopicPartition[];
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(partitionsOf: (topic: string) => TopicPartition[]) {
    this.#partitionsOf = partitionsOf;
  }

  join(membership: GroupMembership, reader: EmbeddedReader): Promise<void> {
    return this.#change(async () => {
      const members = this.#groups.get(membership.group) ?? [];
      members.push({ membership, reader });
      this.#groups.set(membership.group, members);
      await this.#balance(members);
    });
  }

  leave(group: string, reader: EmbeddedReader): Promise<void> {
    return this.#change(async () => {
      const members = (this.#groups.get(group) ?? []).filter((member) => member.reader !== reader);
      this.#groups.set(group, members);
      reader.reassign([], reader.assignment);
      await this.#balance(members);
    });
  }

  /** One change at a time: a revocation must end before the partition goes to another member. */
  #change(task: () => Promise<void>): Promise<void> {
    const result = this.#lastChange.then(task);
    this.#lastChange = result.catch(() => {}); // the caller gets the error
    return result;
  }

  async #balance(members: readonly Member[]): Promise<void> {
    const wanted = assign(members, this.#partitionsOf);
    const moves = members.map((member, m) => {
      const next = wanted[m] as TopicPartition[];
      const { assignment } = member.reader;
      return {
        member,
        removed: assignment.filter((tp) => !includes(next, tp)),
        added: next.filter((tp) => !includes(assignment, tp)),
      };
    });
    for (const { member, removed } of moves) {
      if (removed.length === 0) continue;
      await member.membership.onRevoked(removed);
      member.reader.reassign([], removed);
    }
    for (const { member, added } of moves) {
      if (added.length === 0) continue;
      const cursors: Cursor[] = await member.membership.onAssigned(added);
      member.reader.reassign(cursors, []);
    }
  }
}

/** Partitions by member: each keeps what it has up to its fair share, the rest goes round. */
function assign(
  members: readonly Member[],
  partitionsOf: (topic: string) => TopicPartition[],
): TopicPartition[][] {
  const topics = new Set(members.flatMap((member) => member.membership.topics));
  const all = [...topics].flatMap(partitionsOf);
  const share = Math.ceil(all.length / Math.max(1, members.length));
  const wanted = members.map(({ reader, membership }) =>
    reader.assignment.filter((tp) => membership.topics.includes(tp.topic)).slice(0, share),
  );
  for (const tp of all) {
    if (wanted.some((list) => includes(list, tp))) continue;
    const takers = wanted.filter((_, m) => members[m]?.membership.topics.includes(tp.topic));
    const least = takers.reduce((a, b) => (b.length < a.length ? b : a), takers[0] ?? []);
    least.push(tp);
  }
  return wanted;
}

function includes(list: readonly TopicPartition[], tp: TopicPartition): boolean {
  return list.some((other) => other.topic === tp.topic && other.partition === tp.partition);
}
