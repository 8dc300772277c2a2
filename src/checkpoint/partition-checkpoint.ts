/**
 * The commit of one partition. This is the one place that orders online state, segments and
 * positions; `docs/commit-protocol.md` says what happens when each step fails.
 *
 * One micro-batch (`pipeline/partition-task.ts` calls these in order):
 *   1. drop rows below the position; a jump past a retention gap is an error
 *   2. from `applied` on: newest rows and stream time into one write batch
 *   3. from `sealed` on: rows into the segment writer
 *   4. `commitBatch`: one write of all of (2), the outbox, `applied` and stream time; synced when
 *      something is in the outbox, so that no record is in its topic and not in the store
 *   5. `dispatchOutbox`: append the outbox records, then forget them
 *
 * One segment (`seal`):
 *   1. write `intent`, synced: the cut is now the same for every restart
 *   2. write rows [sealed, end) to a temporary file, fsync
 *   3. rename it to the name of its range, fsync the folder
 *   4. one commit of the manifest: its entry, `sealed := end`, intent removed
 *   5. commit `sealed` to the group; advisory
 */
import { assert } from '../core/assert.ts';
import { KvBatch } from '../kv/index.ts';
import { type Log, type TopicPartition, topicPartitionName } from '../log/index.ts';
import type { Manifest, SegmentEntry, SegmentWriter } from '../segment/index.ts';
import {
  numberedKey,
  numberOfKey,
  prefixRange,
  SPACE,
  type StateStore,
  stateKey,
} from '../state/index.ts';
import { type Gap, putGap } from './gaps.ts';
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

/** What a commit writes to. */
export interface CheckpointStores {
  readonly state: StateStore;
  readonly manifest: Manifest;
}

export class PartitionCheckpoint {
  readonly source: TopicPartition;
  readonly #state: StateStore;
  readonly #manifest: Manifest;
  readonly #sourceId: number;
  readonly #pending: [sequence: number, record: OutboxRecord][] = [];
  /** Whether a pending record may be in its topic already: its append was begun, its end not seen. */
  #mayRepeat = false;
  #positions: Positions;

  private constructor(
    { state, manifest }: CheckpointStores,
    sourceId: number,
    tp: TopicPartition,
    positions: Positions,
  ) {
    this.#state = state;
    this.#manifest = manifest;
    this.#sourceId = sourceId;
    this.source = tp;
    this.#positions = positions;
  }

  /** Reads the positions, or begins at `first`, and the outbox that a crash left behind. */
  static async open(
    stores: CheckpointStores,
    sourceId: number,
    tp: TopicPartition,
    first: Positions,
  ): Promise<PartitionCheckpoint> {
    const { state } = stores;
    const positions = (await readPositions(state, sourceId, tp.partition)) ?? first;
    const checkpoint = new PartitionCheckpoint(stores, sourceId, tp, positions);
    const range = prefixRange(stateKey(sourceId, tp.partition, SPACE.outbox));
    for await (const page of state.kv.scan(range)) {
      for (const [key, value] of page) {
        checkpoint.#pending.push([numberOfKey(key), decodeOutboxRecord(value)]);
      }
    }
    checkpoint.#mayRepeat = checkpoint.#pending.length > 0;
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
    const after = {
      ...before,
      ...rest,
      reported: Math.max(before.reported, rest.applied),
      counted: Math.max(before.counted, rest.applied),
      outboxNext: before.outboxNext + outbox.length,
    };
    await this.#write(batch, after, numbered.length > 0);
    this.#pending.push(...numbered);
  }

  /**
   * Step 5 of a micro-batch: appends what is in the outbox. A record that an earlier attempt left
   * in its topic is recognised by its number and not appended again.
   */
  async dispatchOutbox(log: Log): Promise<void> {
    if (this.#mayRepeat) await this.#forgetAppended(log);
    if (this.#pending.length === 0) return;
    this.#mayRepeat = true;
    const sequences = this.#pending.map(([sequence]) => sequence);
    const results = await log.append(
      this.#pending.map(([sequence, record]) => numberedRecord(record, this.source, sequence)),
    );
    const marks = { ...this.#positions.outboxMarks };
    for (const result of results) marks[topicPartitionName(result)] = result.offset + 1;
    await this.#forget(sequences, marks);
    this.#mayRepeat = false;
  }

  /**
   * Goes on behind records that retention removed: one synced write of the gaps and of positions at
   * or above `offset`. A cut in progress that ended in the gap is given up. Answers with the gaps.
   */
  async skipGap(offset: number, nowMs: number): Promise<Gap[]> {
    const { applied, sealed, intent, ...rest } = this.#positions;
    const { partition } = this.source;
    const gaps = [
      { of: 'state', fromOffset: applied } as const,
      { of: 'history', fromOffset: sealed } as const,
    ]
      .filter(({ fromOffset }) => fromOffset < offset)
      .map((gap) => ({ ...gap, partition, toOffset: offset, skippedAtMs: nowMs }));
    const batch = new KvBatch();
    for (const gap of gaps) putGap(batch, this.#sourceId, gap);
    const after = {
      ...rest,
      applied: Math.max(applied, offset),
      sealed: Math.max(sealed, offset),
      intent: intent !== null && intent > offset ? intent : null,
      // Rows that only history lost have moved stream time: what follows is as late there as here.
      sealedMaxEventTimeUs:
        applied <= offset
          ? maxOf(rest.appliedMaxEventTimeUs, rest.sealedMaxEventTimeUs)
          : rest.sealedMaxEventTimeUs,
      reported: Math.max(rest.reported, offset),
      counted: Math.max(rest.counted, offset),
    };
    await this.#write(batch, after, true);
    return gaps;
  }

  /**
   * Publishes the writer's rows as the segment [sealed, end). After a failure the intent stands, and
   * the rows must be read again: the writer may be empty, although nothing was published.
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
    const after = {
      ...this.#positions,
      sealed: end,
      sealedMaxEventTimeUs: maxEventTimeUs,
      intent: null,
    };
    const positions = { partition: this.source.partition, bytes: encodePositions(after) };
    await this.#manifest.commit(entry.source, { added: [entry], positions }); // 4
    this.#positions = after;
    return entry;
  }

  async #forgetAppended(log: Log): Promise<void> {
    const targets = new Map(
      this.#pending.map(([, { topic, partition }]) => {
        const target = { topic, partition };
        return [topicPartitionName(target), target];
      }),
    );
    const { outboxMarks } = this.#positions;
    for (const [name, target] of targets) {
      const found = await appendedSequences(log, target, outboxMarks[name] ?? 0, this.source);
      const repeats = this.#pending
        .filter(([n, record]) => topicPartitionName(record) === name && found.has(n))
        .map(([sequence]) => sequence);
      if (repeats.length > 0) await this.#forget(repeats, outboxMarks);
    }
    this.#mayRepeat = false;
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

function maxOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
