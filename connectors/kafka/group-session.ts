import { setTimeout as sleep } from 'node:timers/promises';
import { type TopicPartition, topicPartitionName } from '../../src/log/index.ts';
import {
  ASSIGNOR,
  assignPartitions,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './group-protocol.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { errorTypeOf, isTransient, toLogError } from './kafka-error.ts';
import type { Broker, GroupMemberMetadata } from './kafkajs-internals.ts';

export interface GroupSessionOptions {
  /** Of this session alone: a join is answered when all members have joined, and holds what follows. */
  readonly cluster: KafkaCluster;
  /** Of the log: what must not wait behind a join goes here. */
  readonly shared: KafkaCluster;
  readonly group: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatMs: number;
  /** How often the member that assigns looks for new partitions. */
  readonly partitionsCheckMs: number;
  /** Something in the session changed that a poll must look at. */
  readonly onChange: () => void;
  /** The group went on without this member. Called at once, before anybody polls. */
  readonly onLost: () => void;
}

const RETRY_MS = 200;
const JOIN_AGAIN = ['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'];
const LOST = ['UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID'];

/**
 * Membership in a group: joins, tells the coordinator that it lives, joins again when the group
 * changes. What it is to have is `assigned`; what it has it says itself, with `claim` and `release`.
 */
export class GroupSession {
  readonly #options: GroupSessionOptions;
  readonly #claimed = new Map<string, TopicPartition>();
  readonly #closing = new AbortController();
  #memberId = '';
  #generationId = -1;
  #assigned: readonly TopicPartition[] = [];
  #failure: unknown = null;
  #wake: AbortController = new AbortController();
  #isStale = false;
  #isJoining = false;
  /** Partitions of each topic when this member last assigned them; empty while another does. */
  #planned: ReadonlyMap<string, number> = new Map();
  #uncheckedMs = 0;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: GroupSessionOptions) {
    this.#options = options;
  }

  /** Resolves once the group has answered a first time. @throws FreshetError */
  static async join(options: GroupSessionOptions): Promise<GroupSession> {
    const session = new GroupSession(options);
    await session.#join();
    session.#running = session.#run();
    return session;
  }

  get memberId(): string {
    return this.#memberId;
  }

  get generationId(): number {
    return this.#generationId;
  }

  get assigned(): readonly TopicPartition[] {
    return this.#assigned;
  }

  /** While it joins, what is assigned and not claimed may go to others. */
  get isJoining(): boolean {
    return this.#isJoining;
  }

  owns(tp: TopicPartition): boolean {
    return this.#claimed.has(topicPartitionName(tp));
  }

  /** From now on no other member may have them. */
  claim(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#claimed.set(topicPartitionName(tp), tp);
  }

  /** Gives them up, and lets the group assign them again. */
  release(tps: readonly TopicPartition[]): void {
    for (const tp of tps) this.#claimed.delete(topicPartitionName(tp));
    this.#isStale = true;
    this.#wake.abort();
  }

  /** @throws FreshetError what ended the session */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#wake.abort();
    const { cluster, shared, group } = this.#options;
    try {
      const coordinator = await shared.coordinatorOf(group);
      // Others need not wait for the session to time out, and a join under way is answered.
      await coordinator.leaveGroup({ groupId: group, memberId: this.#memberId });
    } catch (thrown) {
      // The group notices by itself when the coordinator cannot be told.
      if (!isTransient(thrown) && !LOST.includes(errorTypeOf(thrown) ?? ''))
        throw toLogError(thrown);
    } finally {
      await cluster.close();
      await this.#running;
    }
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        if (this.#isStale) await this.#join();
        await this.#pause(this.#options.heartbeatMs);
        if (this.#isStale || this.#closing.signal.aborted) continue;
        await this.#heartbeat();
        await this.#checkPartitions();
      } catch (thrown) {
        if (this.#closing.signal.aborted) return;
        await this.#recover(thrown);
        if (this.#failure !== null) return;
      }
    }
  }

  async #recover(thrown: unknown): Promise<void> {
    const type = errorTypeOf(thrown) ?? '';
    if (JOIN_AGAIN.includes(type)) {
      this.#isStale = true;
      return;
    }
    if (LOST.includes(type)) {
      this.#memberId = '';
      this.#isStale = true;
      this.#claimed.clear();
      this.#assigned = [];
      this.#options.onLost();
      return;
    }
    // By our code, not by what kafkajs calls retriable: whoever polls is told to try again, and would
    // do so for ever with a session that has ended.
    const error = toLogError(thrown);
    if (isTransient(error)) {
      this.#options.cluster.forget();
      await this.#pause(RETRY_MS);
      return;
    }
    this.#failure = error;
    this.#options.onChange();
  }

  async #heartbeat(): Promise<void> {
    const { cluster, group } = this.#options;
    const coordinator = await cluster.coordinatorOf(group);
    await coordinator.heartbeat({
      groupId: group,
      groupGenerationId: this.#generationId,
      memberId: this.#memberId,
    });
  }

  /** Partitions that were added to a topic belong to nobody until the group assigns again. */
  async #checkPartitions(): Promise<void> {
    const { cluster, heartbeatMs, partitionsCheckMs } = this.#options;
    this.#uncheckedMs += heartbeatMs;
    if (this.#uncheckedMs < partitionsCheckMs) return;
    this.#uncheckedMs = 0;
    cluster.forget();
    for (const [topic, count] of this.#planned) {
      if ((await cluster.partitionsOf(topic)) !== count) this.#isStale = true;
    }
  }

  async #join(): Promise<void> {
    this.#isJoining = true;
    try {
      await this.#joinRounds();
    } finally {
      this.#isJoining = false;
    }
    this.#options.onChange();
  }

  async #joinRounds(): Promise<void> {
    await this.#options.cluster.retrying(async () => {
      for (let rounds = 0; ; rounds++) {
        try {
          return await this.#joinOnce();
        } catch (thrown) {
          const type = errorTypeOf(thrown) ?? '';
          if (LOST.includes(type) && this.#claimed.size === 0) this.#memberId = '';
          else if (!JOIN_AGAIN.includes(type)) throw thrown;
          if (rounds === JOIN_ROUNDS_MAX) throw thrown;
        }
      }
    });
  }

  async #joinOnce(): Promise<void> {
    const { cluster, group, topics, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const coordinator = await cluster.coordinatorOf(group);
    this.#isStale = false;
    const metadata = encodeSubscription({ topics, owned: [...this.#claimed.values()] });
    const joined = await coordinator.joinGroup({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      memberId: this.#memberId,
      groupProtocols: [{ name: ASSIGNOR, metadata }],
    });
    this.#memberId = joined.memberId;
    const { generationId, memberId, leaderId, members } = joined;
    this.#planned = new Map();
    const groupAssignment = leaderId === memberId ? await this.#plan(members) : [];
    const request = { groupId: group, generationId, memberId, groupAssignment };
    const { memberAssignment } = await coordinator.syncGroup(request);
    this.#generationId = generationId;
    this.#assigned = decodeAssignment(memberAssignment);
  }

  /** Done by one member for all. */
  async #plan(
    metadata: readonly GroupMemberMetadata[],
  ): Promise<Parameters<Broker['syncGroup']>[0]['groupAssignment']> {
    const { cluster } = this.#options;
    const members = metadata.map(({ memberId, memberMetadata }) => ({
      memberId,
      ...decodeSubscription(memberMetadata),
    }));
    const partitions: TopicPartition[] = [];
    const counts = new Map<string, number>();
    cluster.forget();
    for (const topic of new Set(members.flatMap(({ topics }) => topics))) {
      const count = await cluster.partitionsOf(topic);
      counts.set(topic, count);
      for (let partition = 0; partition < count; partition++) partitions.push({ topic, partition });
    }
    this.#planned = counts;
    const planned = assignPartitions(members, partitions);
    return [...planned].map(([memberId, tps]) => ({
      memberId,
      memberAssignment: encodeAssignment(tps),
    }));
  }

  /** Ends early when the session must join again or close. */
  async #pause(ms: number): Promise<void> {
    if (!this.#closing.signal.aborted) this.#wake = new AbortController();
    if (this.#isStale) return;
    await sleep(ms, undefined, { signal: this.#wake.signal }).catch(() => {});
  }
}

const JOIN_ROUNDS_MAX = 20;
