/**
 * The positions of one partition of one source, kept in one value of the state store:
 *
 * ```
 * value := JSON { version (1), applied, appliedMaxEventTimeUs, sealed, sealedMaxEventTimeUs, intent,
 *                 reported, counted, outboxNext, outboxMarks, counters }
 * ```
 *
 * It is written with the state it speaks of, in the same batch, never apart. JSON, because it is
 * written once a micro-batch, not once a row, and a person must be able to read it. Golden bytes:
 * `test/checkpoint/positions.test.ts`.
 */
import { assert } from '../core/assert.ts';
import { FreshetError } from '../errors.ts';

export interface Positions {
  /** Next offset not yet in state. */
  readonly applied: number;
  /** Greatest event time of the rows below `applied`; null before the first. */
  readonly appliedMaxEventTimeUs: number | null;
  /** Next offset not yet in a published segment. */
  readonly sealed: number;
  /** Greatest event time of the rows below `sealed`: the stream time that a re-read row met. */
  readonly sealedMaxEventTimeUs: number | null;
  /** End offset of the cut in progress; fixed for every restart. */
  readonly intent: number | null;
  /** Next offset whose rejection was not yet reported; a replay does not report it again. */
  readonly reported: number;
  /**
   * Next offset that is not in what adds up, counters and windows. Above `applied` while a replay
   * reads again what they have.
   */
  readonly counted: number;
  /** Sequence number of the next outbox record. */
  readonly outboxNext: number;
  /** By target `topic-partition`: the offset behind the last outbox record appended to it. */
  readonly outboxMarks: Readonly<Record<string, number>>;
  readonly counters: Counters;
}

/** What happened to the records that were read, each counted once. */
export interface Counters {
  readonly rows: number;
  readonly rejected: number;
  /** By view: rows more than its grace behind stream time. */
  readonly late: Readonly<Record<string, number>>;
}

const VERSION = 1;

/** Where a partition starts that was never read. */
export function startPositions(offset: number): Positions {
  return {
    applied: offset,
    appliedMaxEventTimeUs: null,
    sealed: offset,
    sealedMaxEventTimeUs: null,
    intent: null,
    reported: offset,
    counted: offset,
    outboxNext: 0,
    outboxMarks: {},
    counters: { rows: 0, rejected: 0, late: {} },
  };
}

/** Where reading resumes: everything below is in state and in segments. */
export function resumeOffset(positions: Positions): number {
  return Math.min(positions.applied, positions.sealed);
}

export function encodePositions(positions: Positions): Uint8Array {
  assert(
    positions.intent === null || positions.intent > positions.sealed,
    `intent ${positions.intent} is not above sealed ${positions.sealed}`,
  );
  return Buffer.from(JSON.stringify({ version: VERSION, ...inOrder(positions) }));
}

/** @throws FreshetError STORE_VERSION, STORE_CORRUPT */
export function decodePositions(bytes: Uint8Array): Positions {
  let value: { readonly version?: unknown } & Positions;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw corrupt(cause);
  }
  if (!isObject(value)) throw corrupt();
  const { version } = value;
  if (Number.isInteger(version) && version !== VERSION) {
    throw new FreshetError(
      'STORE_VERSION',
      `positions have version ${version}, this is ${VERSION}`,
    );
  }
  if (version !== VERSION || !arePositions(value)) throw corrupt();
  return inOrder(value);
}

function inOrder(positions: Positions): Positions {
  return {
    applied: positions.applied,
    appliedMaxEventTimeUs: positions.appliedMaxEventTimeUs,
    sealed: positions.sealed,
    sealedMaxEventTimeUs: positions.sealedMaxEventTimeUs,
    intent: positions.intent,
    reported: positions.reported,
    counted: positions.counted,
    outboxNext: positions.outboxNext,
    outboxMarks: positions.outboxMarks,
    counters: positions.counters,
  };
}

/** Wrong positions would lose rows or double them: none is believed that is not whole. */
function arePositions(value: Positions): boolean {
  const { applied, sealed, intent, reported, counted, outboxNext, outboxMarks, counters } = value;
  return (
    [applied, sealed, reported, counted, outboxNext].every(isCount) &&
    (intent === null || (isCount(intent) && intent > sealed)) &&
    [value.appliedMaxEventTimeUs, value.sealedMaxEventTimeUs].every(isTimeOrNull) &&
    isObject(outboxMarks) &&
    Object.values(outboxMarks).every(isCount) &&
    isObject(counters) &&
    [counters.rows, counters.rejected].every(isCount) &&
    isObject(counters.late) &&
    Object.values(counters.late).every(isCount)
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTimeOrNull(value: unknown): boolean {
  return value === null || Number.isSafeInteger(value);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function corrupt(cause?: unknown): FreshetError {
  return new FreshetError('STORE_CORRUPT', 'the positions of a partition cannot be read', {
    cause,
  });
}
