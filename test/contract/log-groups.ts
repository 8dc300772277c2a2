import { describe, expect, it } from 'vitest';
import type { Cursor, Log, LogReader, TopicPartition } from '../../src/log/index.ts';
import { topicPartitionName } from '../../src/log/index.ts';
import { bytes, type LogUnderTest, recordsOf, text } from './log-support.ts';

/** Members of a group: who reads what, and what happens when that changes. */
export function logGroupsSuite(under: LogUnderTest): void {
  describe('groups', () => {
    it('give a member every partition, from where it says', async () => {
      const topic = await under.topic(3);
      await appendRound(under.log, topic, 3, 0, 2);
      const state = new SharedState();
      state.positions.set(`${topic}-1`, 1);
      await using member = await Member.join(under.log, under.name('group'), [topic], state);
      expect(member.partitions()).toEqual([0, 1, 2]);
      expect(member.events).toEqual(['assigned 0 1 2']);
      expect(member.reader.generation).toBeGreaterThan(0);
      await drive([member], () => state.count() === 5);
      expect(state.valuesOf(topic, 1)).toEqual(['1-1']);
      expect(state.valuesOf(topic, 0)).toEqual(['0-0', '0-1']);
    });

    it('read several topics', async () => {
      const topics = [await under.topic(1), await under.topic(2)];
      const state = new SharedState();
      await using member = await Member.join(under.log, under.name('group'), topics, state);
      expect(member.reader.assignment).toHaveLength(3);
      for (const topic of topics) await appendRound(under.log, topic, 1, 0, 1);
      await drive([member], () => state.count() === 2);
    });

    it('share partitions with a second member and take them back, and lose or double nothing', async () => {
      const topic = await under.topic(4);
      const group = under.name('group');
      const state = new SharedState();
      const first = await Member.join(under.log, group, [topic], state);
      await appendRound(under.log, topic, 4, 0, 5);
      await drive([first], () => state.count() === 20);
      const alone = first.reader.generation;

      const second = await Member.join(under.log, group, [topic], state);
      await drive(
        [first, second],
        () => second.partitions().length === 2,
        async (turn) => {
          if (turn < 20) await appendRound(under.log, topic, 4, 5 + turn, 1);
        },
      );
      expect(first.partitions()).toHaveLength(2);
      expect([...first.partitions(), ...second.partitions()].sort()).toEqual([0, 1, 2, 3]);
      expect(first.reader.generation).toBeGreaterThan(alone);
      const gone = first.events.filter((event) => event.startsWith('revoked'));
      expect(gone.join(' ')).toMatch(/^revoked \d \d$/);
      await appendRound(under.log, topic, 4, 100, 5);
      await drive([first, second], () => state.isComplete(under.log, topic, 4));

      await second.close();
      await appendRound(under.log, topic, 4, 200, 5);
      await drive([first], () => state.isComplete(under.log, topic, 4));
      expect(first.partitions()).toEqual([0, 1, 2, 3]);
      expect(state.doubled).toEqual([]);
      await first.close();
    }, 60_000);

    it('leave a partition with its member until its last batch is finished', async () => {
      const topic = await under.topic(2);
      const group = under.name('group');
      const state = new SharedState();
      await using first = await Member.join(under.log, group, [topic], state);
      await using second = await Member.join(under.log, group, [topic], state);
      await drive([first, second], () => second.partitions().length === 1);
      for (const event of first.events.filter((each) => each.startsWith('revoked'))) {
        expect(first.atRevoked.get(event)).toContain(Number(event.split(' ')[1]));
      }
      expect(first.atRevoked.size).toBe(1);
      expect(first.revokedOutsidePoll).toBe(false);
    }, 60_000);

    it('commit for their own partitions and for no other', async () => {
      const topic = await under.topic(2);
      const group = under.name('group');
      const state = new SharedState();
      await using member = await Member.join(under.log, group, [topic], state);
      await under.log.commitOffsets(group, [{ topic, partition: 1, offset: 4 }]);
      expect(await under.log.committedOffsets(group, [{ topic, partition: 1 }])).toEqual([4]);
      const other = await under.topic(1);
      await expect(
        under.log.commitOffsets(group, [{ topic: other, partition: 0, offset: 1 }]),
      ).rejects.toMatchObject({ code: 'LOG_FENCED' });
      await member.close();
      await under.log.commitOffsets(group, [{ topic, partition: 1, offset: 5 }]);
      expect(await under.log.committedOffsets(group, [{ topic, partition: 1 }])).toEqual([5]);
    });

    it('do not keep a member whose partitions cannot be opened', async () => {
      const topic = await under.topic(1);
      const group = under.name('group');
      const failing = under.log.join({
        group,
        topics: [topic],
        onAssigned: () => Promise.reject(new Error('no disk')),
        onRevoked: async () => {},
      });
      await expect(failing).rejects.toThrow('no disk');
      const state = new SharedState();
      await using member = await Member.join(under.log, group, [topic], state);
      await drive([member], () => member.partitions().length === 1);
    });

    it('know nothing of each other', async () => {
      const topic = await under.topic(2);
      await appendRound(under.log, topic, 2, 0, 3);
      const states = [new SharedState(), new SharedState()] as const;
      await using one = await Member.join(under.log, under.name('group'), [topic], states[0]);
      await using two = await Member.join(under.log, under.name('group'), [topic], states[1]);
      await drive([one, two], () => states[0].count() === 6 && states[1].count() === 6);
    });
  });
}

/** What the members of a group have processed together, as a shared store would have it. */
export class SharedState {
  readonly positions = new Map<string, number>();
  readonly doubled: string[] = [];
  readonly #values = new Map<string, string[]>();

  apply(topic: string, partition: number, offset: number, value: string): void {
    const name = topicPartitionName({ topic, partition });
    const expected = this.positions.get(name) ?? 0;
    if (offset < expected) this.doubled.push(`${name} ${offset}`);
    this.positions.set(name, offset + 1);
    this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
  }

  valuesOf(topic: string, partition: number): string[] {
    return this.#values.get(topicPartitionName({ topic, partition })) ?? [];
  }

  count(): number {
    return [...this.#values.values()].reduce((sum, values) => sum + values.length, 0);
  }

  /** Whether every record of the topic came, in order and once. */
  async isComplete(log: Log, topic: string, partitions: number): Promise<boolean> {
    const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const marks = await log.watermarks(tps);
    return marks.every(({ partition, end }) => this.valuesOf(topic, partition).length === end);
  }
}

/** A member that processes what it polls at once. */
export class Member implements AsyncDisposable {
  readonly events: string[] = [];
  readonly atRevoked = new Map<string, readonly number[]>();
  revokedOutsidePoll = false;
  readonly #state: SharedState;
  #reader: LogReader | null = null;
  #isPolling = false;

  private constructor(state: SharedState) {
    this.#state = state;
  }

  static async join(
    log: Log,
    group: string,
    topics: readonly string[],
    state: SharedState,
  ): Promise<Member> {
    const member = new Member(state);
    member.#reader = await log.join({
      group,
      topics,
      onAssigned: (tps) => member.#assigned(tps),
      onRevoked: (tps) => member.#revoked(tps),
    });
    return member;
  }

  get reader(): LogReader {
    return this.#reader as LogReader;
  }

  partitions(): number[] {
    return this.reader.assignment.map(({ partition }) => partition).sort();
  }

  async poll(waitMs: number): Promise<void> {
    this.#isPolling = true;
    const batches = await this.reader.poll({ waitMs });
    this.#isPolling = false;
    for (const batch of batches) {
      for (const { partition, offset, value } of recordsOf([batch])) {
        this.#state.apply(batch.topic, partition, offset, text(value) as string);
      }
    }
  }

  async close(): Promise<void> {
    await this.reader.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #assigned(tps: readonly TopicPartition[]): Promise<Cursor[]> {
    this.events.push(event('assigned', tps));
    const { positions } = this.#state;
    return tps.map((tp) => ({ ...tp, offset: positions.get(topicPartitionName(tp)) ?? 0 }));
  }

  async #revoked(tps: readonly TopicPartition[]): Promise<void> {
    this.events.push(event('revoked', tps));
    this.atRevoked.set(event('revoked', tps), this.partitions());
    if (!this.#isPolling) this.revokedOutsidePoll = true;
  }
}

/** Lets all members poll until the condition holds. */
export async function drive(
  members: readonly Member[],
  isDone: () => boolean | Promise<boolean>,
  eachTurn: (turn: number) => Promise<void> = async () => {},
): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (await isDone()) return;
    await eachTurn(turn);
    await Promise.all(members.map((member) => member.poll(50)));
  }
  throw new Error(
    `not reached; events ${members.map(({ events }) => events.join(', ')).join(' | ')}`,
  );
}

/** Appends `count` values `partition-number` to each partition, numbers rising from `from`. */
async function appendRound(
  log: Log,
  topic: string,
  partitions: number,
  from: number,
  count: number,
): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => from + i);
  await log.append(
    numbers.flatMap((n) =>
      Array.from({ length: partitions }, (_, partition) => ({
        topic,
        partition,
        key: null,
        value: bytes(`${partition}-${n}`),
      })),
    ),
  );
}

function event(what: string, tps: readonly TopicPartition[]): string {
  return [what, ...tps.map(({ partition }) => partition).sort()].join(' ');
}
