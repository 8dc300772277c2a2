/**
 * The positions of one partition of one source, kept in one value of the state store:
 *
 * ```
 * value := JSON { version, applied, appliedMaxEventTimeUs, sealed, sealedMaxEventTimeUs, intent,
 *                 reported, outboxNext, outboxMarks, counters }
 * ```
 *
 * It is written with the state it speaks of, in the same batch, never apart. JSON, because it is
 * written once a micro-batch, not once a row, and a person must be able to read it.
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
  /** Sequence number of the next outbox record. */
  readonly outboxNext: number;
  /** By target topic: the offset behind the last outbox record appended to it. */
  readonly outboxMarks: Readonly<Record<string, number>>;
  readonly counters: Counters;
}

/** What happened to the records below `applied`. */
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
  return Buffer.from(JSON.stringify({ version: VERSION, ...positions }));
}

/** @throws FreshetError STORE_VERSION, STORE_CORRUPT */
export function decodePositions(bytes: Uint8Array): Positions {
  let value: { version: number } & Positions;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw new FreshetError('STORE_CORRUPT', 'the positions of a partition cannot be read', {
      cause,
    });
  }
  const { version, ...positions } = value;
  if (version !== VERSION) {
    throw new FreshetError(
      'STORE_VERSION',
      `positions have version ${version}, this is ${VERSION}`,
    );
  }
  return positions;
}
