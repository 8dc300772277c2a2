import { FreshetError } from '../../src/errors.ts';
import {
  type Cursor,
  type GroupMembership,
  type LogBatch,
  type LogReader,
  type PollOptions,
  PollSignal,
  type TopicPartition,
  topicPartitionName,
} from '../../src/log/index.ts';
import { Fetcher, type FetcherOptions } from './fetcher.ts';
import type { GroupSession, GroupSessionOptions } from './group-session.ts';

export interface KafkaReaderOptions extends Omit<FetcherOptions, 'signal'> {
  readonly onClose: (reader: KafkaReader) => void;
}

/** Reads partitions that are given, or those that a group assigns. */
export class KafkaReader implements LogReader {
  readonly #options: KafkaReaderOptions;
  readonly #signal = new PollSignal();
  readonly #fetcher: Fetcher;
  readonly #closing = new AbortController();
  #group: { readonly membership: GroupMembership; readonly session: GroupSession } | null = null;
  /** What the group took away without asking; its caller is told in the next poll. */
  #lost: readonly TopicPartition[] = [];
  /** Partitions that its caller is just opening. */
  #opening: readonly TopicPartition[] = [];
  #generation = 0;
  #closed: Promise<void> | null = null;

  constructor(options: KafkaReaderOptions) {
    this.#options = options;
    this.#fetcher = new Fetcher({ ...options, signal: this.#signal });
  }

  /** Reads these from now on. */
  assign(cursors: readonly Cursor[]): void {
    for (const cursor of cursors) this.#fetcher.add(cursor);
    this.#generation++;
  }

  /** Lets a group decide; resolves with the partitions that are free now. */
  async join(
    membership: GroupMembership,
    open: (hooks: Pick<GroupSessionOptions, 'onChange' | 'onLost'>) => Promise<GroupSession>,
  ): Promise<void> {
    const session = await open({
      onChange: () => this.#signal.notify(),
      onLost: () => this.#lose(),
    });
    this.#group = { membership, session };
    if (this.#closing.signal.aborted) {
      await session.close();
      throw new FreshetError('STORE_CLOSED', 'the reader of the log was closed while it joined');
    }
    await this.#settle();
  }

  get session(): GroupSession | null {
    return this.#group?.session ?? null;
  }

  get group(): string | null {
    return this.#group?.membership.group ?? null;
  }

  get assignment(): readonly TopicPartition[] {
    return this.#fetcher.assignment;
  }

  get generation(): number {
    return this.#generation;
  }

  async poll(options: PollOptions = {}): Promise<LogBatch[]> {
    if (this.#closing.signal.aborted) {
      throw new FreshetError('STORE_CLOSED', 'the reader of the log is closed');
    }
    const { waitMs = 0, signal } = options;
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    return this.#signal.poll(() => this.#attempt(options), waitMs, stop);
  }

  pause(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#fetcher.setPaused(tp, true);
  }

  resume(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#fetcher.setPaused(tp, false);
  }

  seek(cursor: Cursor): void {
    const { topic, partition } = cursor;
    if (!this.#fetcher.has(cursor)) {
      throw new FreshetError('LOG_FENCED', 'the partition is not assigned to this reader', {
        where: { topic, partition },
      });
    }
    this.#fetcher.seek(cursor);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#fetcher.close();
    this.#options.onClose(this);
    try {
      await this.#group?.session.close();
    } finally {
      await this.#options.cluster.close();
    }
  }

  async #attempt(options: PollOptions): Promise<LogBatch[]> {
    if (this.#closing.signal.aborted) return [];
    await this.#settle();
    return this.#fetcher.take(options);
  }

  /** Gives up and takes over what the group says, with its caller's consent. */
  async #settle(): Promise<void> {
    if (this.#group === null) return;
    const { membership, session } = this.#group;
    session.check();
    const lost = this.#lost;
    this.#lost = [];
    if (lost.length > 0) await (membership.onLost ?? membership.onRevoked)(lost);

    const assigned = new Set(session.assigned.map(topicPartitionName));
    const removed = this.assignment.filter((tp) => !assigned.has(topicPartitionName(tp)));
    if (removed.length > 0) {
      await membership.onRevoked(removed);
      for (const tp of removed) this.#fetcher.remove(tp);
      this.#generation++;
      session.release(removed);
      return;
    }
    if (session.isJoining) return;
    const added = session.assigned.filter((tp) => !this.#fetcher.has(tp));
    if (added.length === 0) return;
    // Claimed before they are opened: a group that changes meanwhile gives them to nobody else.
    session.claim(added);
    this.#opening = added;
    const cursors: Cursor[] = await membership.onAssigned(added);
    this.#opening = [];
    if (this.#closing.signal.aborted || added.some((tp) => !session.owns(tp))) return;
    this.assign(cursors);
  }

  #lose(): void {
    this.#lost = [...this.#lost, ...this.assignment, ...this.#opening];
    for (const tp of this.assignment) this.#fetcher.remove(tp);
    this.#generation++;
    this.#signal.notify();
  }
}
