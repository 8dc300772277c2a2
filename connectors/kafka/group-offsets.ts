import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../../src/errors.ts';
import { type Cursor, type TopicPartition, topicPartitionName } from '../../src/log/index.ts';
import type { GroupSession } from './group-session.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { errorTypeOf } from './kafka-error.ts';
import { groupByTopic } from './topic-admin.ts';

/** Of a commit by nobody in the group, which the broker takes while the group has no members. */
const NO_MEMBER = { memberId: '', generationId: -1 };
/** While a group changes, a member's generation is the old one for a moment. */
const MOVING = ['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'];
const MOVING_CHECKS = 50;
const MOVING_CHECK_MS = 100;

/** Positions of groups, which are advice: the truth is with whoever reads. */
export class GroupOffsets {
  readonly #cluster: KafkaCluster;

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  async committed(group: string, tps: readonly TopicPartition[]): Promise<(number | null)[]> {
    const { responses } = await this.#cluster.retrying(async () => {
      const coordinator = await this.#cluster.coordinatorOf(group);
      const topics = groupByTopic(tps).map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((partition) => ({ partition })),
      }));
      return coordinator.offsetFetch({ groupId: group, topics });
    });
    const offsets = new Map(
      responses.flatMap(({ topic, partitions }) =>
        partitions.map(
          ({ partition, offset }) =>
            [topicPartitionName({ topic, partition }), Number(offset)] as const,
        ),
      ),
    );
    return tps.map((tp) => {
      const offset = offsets.get(topicPartitionName(tp)) ?? -1;
      return offset < 0 ? null : offset;
    });
  }

  /**
   * Commits as the member that owns each partition, or as nobody when this process has no member.
   * @throws FreshetError LOG_FENCED
   */
  async commit(
    group: string,
    cursors: readonly Cursor[],
    members: readonly GroupSession[],
  ): Promise<void> {
    if (members.length === 0) {
      await this.#commit(group, cursors, () => NO_MEMBER);
      return;
    }
    const byOwner = new Map<GroupSession, Cursor[]>();
    for (const cursor of cursors) {
      const owner = members.find((member) => member.owns(cursor));
      if (owner === undefined) throw fenced(group, cursor);
      byOwner.set(owner, [...(byOwner.get(owner) ?? []), cursor]);
    }
    for (const [owner, owned] of byOwner) {
      await this.#commit(group, owned, () => {
        const gone = owned.find((cursor) => !owner.owns(cursor));
        if (gone !== undefined) throw fenced(group, gone);
        return owner;
      });
    }
  }

  async #commit(
    group: string,
    cursors: readonly Cursor[],
    memberOf: () => { readonly memberId: string; readonly generationId: number },
  ): Promise<void> {
    const offsets = new Map(cursors.map((cursor) => [topicPartitionName(cursor), cursor.offset]));
    const topics = groupByTopic(cursors).map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((partition) => ({
        partition,
        offset: String(offsets.get(topicPartitionName({ topic, partition }))),
      })),
    }));
    for (let checks = 0; ; checks++) {
      const { memberId, generationId: groupGenerationId } = memberOf();
      try {
        await this.#cluster.retrying(async () => {
          const coordinator = await this.#cluster.coordinatorOf(group);
          await coordinator.offsetCommit({ groupId: group, groupGenerationId, memberId, topics });
        });
        return;
      } catch (thrown) {
        const type = errorTypeOf((thrown as Error).cause) ?? '';
        if (!MOVING.includes(type) || checks === MOVING_CHECKS) throw thrown;
        await sleep(MOVING_CHECK_MS);
      }
    }
  }
}

function fenced(group: string, { topic, partition }: TopicPartition): FreshetError {
  return new FreshetError('LOG_FENCED', `another member of group "${group}" reads it`, {
    where: { topic, partition },
  });
}
