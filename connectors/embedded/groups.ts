import type { Cursor, GroupMembership, TopicPartition } from '../../src/log/index.ts';
import type { EmbeddedReader } from './reader.ts';

interface Member {
  readonly membership: GroupMembership;
  readonly reader: EmbeddedReader;
  /** What it is to have; it gives up and takes over in its own polls. */
  wanted: readonly TopicPartition[];
}

/**
 * Consumer groups among the readers of one process: each partition belongs to one member. A member
 * that joins or leaves moves as few partitions as evens them out. A member that does not poll keeps
 * its partitions.
 */
export class Groups {
  readonly #groups = new Map<string, Member[]>();
  readonly #partitionsOf: (topic: string) => TopicPartition[];

  constructor(partitionsOf: (topic: string) => TopicPartition[]) {
    this.#partitionsOf = partitionsOf;
  }

  async join(membership: GroupMembership, reader: EmbeddedReader): Promise<void> {
    const members = this.#groups.get(membership.group) ?? [];
    this.#groups.set(membership.group, members);
    members.push({ membership, reader, wanted: [] });
    this.#plan(members);
    try {
      await this.settle(membership.group, reader);
    } catch (thrown) {
      this.leave(membership.group, reader);
      throw thrown;
    }
  }

  /** Its partitions are free for the others at once. */
  leave(group: string, reader: EmbeddedReader): void {
    const members = this.#groups.get(group) ?? [];
    const place = members.findIndex((member) => member.reader === reader);
    if (place < 0) return;
    members.splice(place, 1);
    if (members.length === 0) this.#groups.delete(group);
    reader.reassign([], reader.assignment);
    this.#plan(members);
  }

  /** Gives up what is to go, and takes over what nobody has any more. */
  async settle(group: string, reader: EmbeddedReader): Promise<void> {
    const members = this.#groups.get(group) ?? [];
    const member = members.find((candidate) => candidate.reader === reader);
    if (member === undefined) return;
    const { membership } = member;
    const removed = reader.assignment.filter((tp) => !includes(member.wanted, tp));
    if (removed.length > 0) {
      await membership.onRevoked(removed);
      reader.reassign([], removed);
      for (const other of members) other.reader.wake();
    }
    const added = member.wanted.filter((tp) => !members.some((m) => m.reader.owns(tp)));
    if (added.length === 0) return;
    const cursors: Cursor[] = await membership.onAssigned(added);
    // The reader may have been closed while its caller opened the partitions.
    if (members.includes(member)) reader.reassign(cursors, []);
  }

  /** Whether the group has members and none of them owns the partition. */
  fences(group: string, tp: TopicPartition): boolean {
    const members = this.#groups.get(group) ?? [];
    return members.length > 0 && !members.some(({ reader }) => reader.owns(tp));
  }

  #plan(members: readonly Member[]): void {
    const plans = assign(members, this.#partitionsOf);
    for (const [m, member] of members.entries()) {
      member.wanted = plans[m] as TopicPartition[];
      member.reader.wake();
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
