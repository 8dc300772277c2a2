/**
 * Replay: reading a topic again from an earlier position into the online state. Planning is pure;
 * `rewind` writes the plan into the positions, and the engine does the reading.
 *
 * From the earliest offset the views' state is cleared first and rebuilt from the log; what the log
 * has no more is lost by that, so it is refused unless the gap is to be skipped. From a later one the state stays: rows are compared before they are put, so that applying one
 * again changes nothing, and windows take only rows that they do not have. Segments and dead letters are what they were: neither is made again.
 */
import {
  type CheckpointStores,
  encodePositions,
  type Positions,
  putGap,
  readPositions,
} from '../checkpoint/index.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch } from '../kv/index.ts';
import type { Log, TopicPartition } from '../log/index.ts';
import { prefixRange, SPACE, type StateStore, stateKey } from '../state/index.ts';
import { firstOffset, lossError, lostRecords, type OffsetRange } from './lost-records.ts';

/** Where a replay begins. */
export type ReplayFrom = 'earliest' | { readonly offset: number } | { readonly timeMs: number };

/** What a replay of one partition will read. */
export interface PartitionReplay extends TopicPartition {
  readonly fromOffset: number;
  /** The position before the replay; the engine goes on from there as usual. */
  readonly untilOffset: number;
  readonly records: number;
  /** Whether the partition's state is cleared and rebuilt. */
  readonly clear: boolean;
  /** What a cleared state loses, since the log has it no more. */
  readonly lost: readonly OffsetRange[];
}

/** What is made of a partition's rows. */
const STATE_SPACES = [SPACE.row, SPACE.head, SPACE.tiles, SPACE.timer];

/**
 * `skipGap` is to rebuild from the earliest although the log has not all that state has.
 * @throws FreshetError OFFSET_GAP when the log no longer has the offset asked for, or what a rebuilt
 * state must have
 */
export async function planReplay(
  log: Log,
  { state, manifest }: CheckpointStores,
  source: { readonly name: string; readonly id: number },
  tps: readonly TopicPartition[],
  from: ReplayFrom,
  skipGap = false,
): Promise<PartitionReplay[]> {
  const marks = await log.watermarks(tps);
  return Promise.all(
    marks.map(async ({ topic, partition, start, end }) => {
      const tp = { topic, partition };
      const positions = await readPositions(state, source.id, partition);
      const untilOffset = positions?.applied ?? start;
      const stores = { kv: state.kv, manifest };
      const begin =
        positions === null ? 0 : await firstOffset(stores, source, partition, positions);
      // What is below where reading began is of files: a replay does not bring it in.
      const wanted = Math.max(begin, await startOffset(log, tp, from, start, end));
      if (wanted < start) throw removedError(tp, wanted, start);
      const clear = from === 'earliest';
      const isRebuilt = clear && positions !== null;
      const lost = isRebuilt && (await lostRecords(stores, source, partition, positions, start));
      if (lost && lost.ranges.length > 0 && !skipGap) throw lossError(tp, lost, start);
      const fromOffset = Math.min(wanted, untilOffset);
      const records = untilOffset - fromOffset;
      return { ...tp, fromOffset, untilOffset, records, clear, lost: lost ? lost.ranges : [] };
    }),
  );
}

function removedError(tp: TopicPartition, wanted: number, start: number): FreshetError {
  return new FreshetError(
    'OFFSET_GAP',
    `offset ${wanted} was removed; the log begins at ${start}`,
    {
      where: { ...tp, offset: wanted },
      next: `Replay from offset ${start} or from earliest.`,
    },
  );
}

/**
 * Puts the positions back, clears what is to be rebuilt, and records what is lost by that, each
 * partition in one synced write. No engine may be running.
 */
export async function rewind(
  state: StateStore,
  sourceId: number,
  plan: readonly PartitionReplay[],
  nowMs: number,
): Promise<void> {
  for (const { partition, fromOffset, clear, lost } of plan) {
    const positions = await readPositions(state, sourceId, partition);
    if (positions === null) continue;
    const batch = new KvBatch();
    if (clear) {
      for (const space of STATE_SPACES) {
        const { gte, lt } = prefixRange(stateKey(sourceId, partition, space));
        batch.deleteRange(gte, lt);
      }
    }
    for (const range of lost) {
      putGap(batch, sourceId, { ...range, partition, of: 'state', skippedAtMs: nowMs });
    }
    batch.put(
      stateKey(sourceId, partition, SPACE.cursor),
      encodePositions(rewound(positions, fromOffset, clear)),
    );
    await state.kv.write(batch, { sync: true });
  }
}

function rewound(positions: Positions, fromOffset: number, clear: boolean): Positions {
  if (!clear) return { ...positions, applied: fromOffset };
  return {
    ...positions,
    applied: fromOffset,
    appliedMaxEventTimeUs: null,
    counted: fromOffset,
    counters: { rows: 0, rejected: 0, late: {} },
  };
}

async function startOffset(
  log: Log,
  tp: TopicPartition,
  from: ReplayFrom,
  start: number,
  end: number,
): Promise<number> {
  if (from === 'earliest') return start;
  if ('offset' in from) return from.offset;
  return (await log.offsetForTime(tp, from.timeMs)) ?? end;
}
