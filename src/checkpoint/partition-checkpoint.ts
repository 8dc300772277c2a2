/**
 * The commit of one partition. This is the one place that orders online state, segments and
 * positions; `docs/commit-protocol.md` says what happens when each step fails.
 *
 * One micro-batch (`pipeline/partition-task.ts` calls these in order):
 *   1. drop rows below the position; a jump past a retention gap is an error
 *   2. from `applied` on: newest rows and stream time into one write batch
 *   3. from `sealed` on: rows into the segment writer
 *   4. `commitBatch`: one write of all of (2), the outbox, `applied` and stream time
 *   5. `dispatchOutbox`: append the outbox records, then forget them
 *
 * One segment (`seal`):
 *   1. write `intent`, synced: the cut is now the same for every restart
 *   2. write rows [sealed, end) to a temporary file, fsync
 *   3. rename it to the name of its range, fsync the folder
 *   4. one synced write: manifest entry, `sealed := end`, intent removed
 *   5. commit `sealed` to the group; advisory
 */
import { assert } from '../core/assert.ts';
import { KvBatch } from '../kv/index.ts';
import type { Log, TopicPartition } from '../log/index.ts';
import { putEntry, type SegmentEntry, type SegmentWriter } from '../segment/index.ts';
import {
  numberedKey,
  numberOfKey,
  prefixRange,
  SPACE,
  type StateStore,
  stateKey,
} from '../state/index.ts';
import {
  appendedSequences,
  decodeOutboxRecord,
  encodeOutboxRecord,
  numberedRecord,
  type OutboxRecord,
} from './outbox.ts';
import { type Counters, decodePositions, encodePositions, type Positions } from './positions.ts';

/** What step 4 of a micro-batch writes beside the state. */
export interface BatchUpdate {
  readonly applied: number;
  readonly appliedMaxEventTimeUs: number | null;
  readonly outbox: readonly OutboxRecord[];
  readonly counters: Counters;
}

export class PartitionCheckpoint {
  readonly source: TopicPartition;
  readonly #state: StateStore;
  readonly #sourceId: number;
  readonly #pending: [sequence: number, record: OutboxRecord][] = [];
  #positions: Positions;

  private constructor(
    state: StateStore,
    sourceId: number,
    tp: TopicPartition,
    positions: Positions,
  ) {
    this.#state = state;
    this.#sourceId = sourceId;
    this.source = tp;
    this.#positions = positions;
  }

  /** Reads the positions, or begins at `first`, and the outbox that a crash left behind. */
  static async open(
    state: StateStore,
    sourceId: number,
    tp: TopicPartition,
    first: Positions,
  ): Promise<PartitionCheckpoint> {
    const positions = (await readPositions(state, sourceId, tp.partition)) ?? first;
    const checkpoint = new PartitionCheckpoint(state, sourceId, tp, positions);
    const range = prefixRange(stateKey(sourceId, tp.partition, SPACE.outbox));
    for await (const page of state.kv.scan(range)) {
      for (const [key, value] of page) {
        checkpoint.#pending.push([numberOfKey(key), decodeOutboxRecord(value)]);
      }
    }
    return checkpoint;
  }

  get positions(): Positions {
    return this.#positions;
  }

  /** Step 4 of a micro-batch. */
  async commitBatch(batch: KvBatch, update: BatchUpdate): Promise<void> {
    const { outbox, ...rest } = update;
    const before = this.#positions;
    assert(rest.applied >= before.applied, `applied would go back to ${rest.applied}`);
    const numbered = outbox.map((record, i): [number, OutboxRecord] => [
      before.outboxNext + i,
      record,
    ]);
    for (const [sequence, record] of numbered) {
      batch.put(this.#outboxKey(sequence), encodeOutboxRecord(record));
    }
    await this.#write(batch, {
      ...before,
      ...rest,
      reported: Math.max(before.reported, rest.applied),
      outboxNext: before.outboxNext + outbox.length,
    });
    this.#pending.push(...numbered);
  }

  /** Step 5 of a micro-batch. Appending again after a failure is safe. */
  async dispatchOutbox(log: Log): Promise<void> {
    if (this.#pending.length === 0) return;
    const records = this.#pending.map(([sequence, record]) =>
      numberedRecord(record, this.source, sequence),
    );
    const results = await log.append(records);
    const marks = { ...this.#positions.outboxMarks };
    for (const result of results) marks[result.topic] = result.offset + 1;
    await this.#forget(
      this.#pending.map(([sequence]) => sequence),
      marks,
    );
  }

  /** Drops outbox records that their topic holds already; once, before the first dispatch. */
  async recoverOutbox(log: Log): Promise<void> {
    const targets = new Map(this.#pending.map(([, record]) => [record.topic, record]));
    for (const { topic, partition } of targets.values()) {
      const from = this.#positions.outboxMarks[topic] ?? 0;
      const done = await appendedSequences(log, { topic, partition }, from, this.source);
      const repeats = this.#pending.map(([sequence]) => sequence).filter((s) => done.has(s));
      if (repeats.length > 0) await this.#forget(repeats, this.#positions.outboxMarks);
    }
  }

  /**
   * Publishes the writer's rows as the segment [sealed, end). After a failure the writer still has
   * its rows and the intent stands: sealing again makes the same cut.
   */
  async seal(
    writer: SegmentWriter,
    end: number,
    maxEventTimeUs: number | null,
  ): Promise<SegmentEntry> {
    const { sealed, intent } = this.#positions;
    assert(end > sealed, `a cut must end above ${sealed}, not at ${end}`);
    assert(intent === null || intent === end, `the cut in progress ends at ${intent}, not ${end}`);
    if (intent === null) {
      await this.#write(new KvBatch(), { ...this.#positions, intent: end }, true); // 1
    }
    const entry = await writer.write({ startOffset: sealed, endOffset: end }); // 2, 3
    const batch = new KvBatch();
    putEntry(batch, this.#sourceId, entry);
    const sealedPositions = { sealed: end, sealedMaxEventTimeUs: maxEventTimeUs, intent: null };
    await this.#write(batch, { ...this.#positions, ...sealedPositions }, true); // 4
    return entry;
  }

  async #write(batch: KvBatch, positions: Positions, sync = false): Promise<void> {
    batch.put(
      stateKey(this.#sourceId, this.source.partition, SPACE.cursor),
      encodePositions(positions),
    );
    await this.#state.kv.write(batch, { sync });
    this.#positions = positions;
  }

  async #forget(
    sequences: readonly number[],
    outboxMarks: Positions['outboxMarks'],
  ): Promise<void> {
    const batch = new KvBatch();
    for (const sequence of sequences) batch.delete(this.#outboxKey(sequence));
    await this.#write(batch, { ...this.#positions, outboxMarks });
    const gone = new Set(sequences);
    const kept = this.#pending.filter(([sequence]) => !gone.has(sequence));
    this.#pending.splice(0, this.#pending.length, ...kept);
  }

  #outboxKey(sequence: number): Uint8Array {
    return numberedKey(this.#sourceId, this.source.partition, SPACE.outbox, sequence);
  }
}

/** The stored positions of a partition; null when it was never read. */
export async function readPositions(
  state: StateStore,
  sourceId: number,
  partition: number,
): Promise<Positions | null> {
  const bytes = await state.kv.get(stateKey(sourceId, partition, SPACE.cursor));
  return bytes === undefined ? null : decodePositions(bytes);
}
