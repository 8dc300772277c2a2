import { expect, it } from 'vitest';
import { encodeAssignment } from '../../connectors/kafka/group-protocol.ts';
import { GroupSession } from '../../connectors/kafka/group-session.ts';
import type { KafkaCluster } from '../../connectors/kafka/kafka-cluster.ts';
import { protocolError } from '../../connectors/kafka/kafkajs-internals.ts';

const UNKNOWN_SERVER_ERROR = -1;
const GROUP_AUTHORIZATION_FAILED = 30;

/** A coordinator that answers heartbeats with these errors, one after the other, and then well. */
class Coordinator {
  heartbeats = 0;
  readonly #errors: Error[];
  #onWell = (): void => {};
  readonly well: Promise<void>;

  constructor(errors: Error[]) {
    this.#errors = errors;
    this.well = new Promise((resolve) => {
      this.#onWell = resolve;
    });
  }

  async heartbeat(): Promise<void> {
    this.heartbeats++;
    const error = this.#errors.shift();
    if (error !== undefined) throw error;
    this.#onWell();
  }

  async joinGroup() {
    return { generationId: 1, leaderId: 'other', memberId: 'me', members: [] };
  }

  async syncGroup() {
    return { memberAssignment: encodeAssignment([{ topic: 'orders', partition: 0 }]) };
  }

  async leaveGroup(): Promise<void> {}
}

async function sessionOf(coordinator: Coordinator, onChange = (): void => {}) {
  const cluster = {
    retrying: (attempt: () => Promise<unknown>) => attempt(),
    coordinatorOf: async () => coordinator,
    forget: () => {},
    close: async () => {},
  } as unknown as KafkaCluster;
  return GroupSession.join({
    ...{ cluster, shared: cluster, group: 'g', topics: ['orders'], heartbeatMs: 1 },
    ...{ sessionTimeoutMs: 1_000, rebalanceTimeoutMs: 1_000, partitionsCheckMs: 60_000 },
    ...{ onChange, onLost: () => {} },
  });
}

it('a session goes on after a failure that kafkajs does not retry and that callers are told to', async () => {
  const unknown = protocolError(UNKNOWN_SERVER_ERROR);
  expect((unknown as { retriable?: boolean }).retriable).toBe(false);
  const coordinator = new Coordinator([unknown, unknown]);
  const session = await sessionOf(coordinator);
  await coordinator.well;
  session.check();
  expect(coordinator.heartbeats).toBe(3);
  await session.close();
});

it('a session ends with a failure that no other attempt can mend', async () => {
  const coordinator = new Coordinator([protocolError(GROUP_AUTHORIZATION_FAILED)]);
  let changed = (): void => {};
  const ended = new Promise<void>((resolve) => {
    changed = resolve;
  });
  const session = await sessionOf(coordinator, () => {
    if (coordinator.heartbeats > 0) changed();
  });
  await ended;
  expect(() => session.check()).toThrow(expect.objectContaining({ code: 'LOG_ACCESS_DENIED' }));
  await session.close();
});
