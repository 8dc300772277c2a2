/**
 * What of a view was materialized from its batch history, kept in the state store beside the rows
 * and written with them: a lost store forgets both.
 *
 * ```
 * key   := state key, space BACKFILL of the batch source, partition 0 | viewId u16
 * value := JSON { version, intervals: [{ startUs, endUs }], redo: [{ startUs, endUs }], files: { path: mark },
 *                 [adding: { files: { path: mark }, intervals: [{ startUs, endUs }] }],
 *                 [slice: { range: { startUs, endUs }, after: { keys, offset } }] }
 * ```
 */
import type { JsonValue } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import type { KvBatch } from '../kv/index.ts';
import { entityStateKey, SPACE, type StateStore } from '../state/index.ts';

export interface BackfillRecord {
  /** Ranges of event time, in order, apart from one another. */
  readonly intervals: readonly MaterializationInterval[];
  /** Ranges whose rows were deleted to be read again, until they are. */
  readonly redo: readonly MaterializationInterval[];
  /** Marks by path of the files as they were read: a file that has another mark is read again. */
  readonly files: Readonly<Record<string, string>>;
  /** New files whose rows are being counted in the intervals, and where they are already. */
  readonly adding?: {
    readonly files: Readonly<Record<string, string>>;
    readonly intervals: readonly MaterializationInterval[];
  };
  /** The slice of windows that is being loaded, of `adding` where it is there, and its last row yet. */
  readonly slice?: { readonly range: MaterializationInterval; readonly after: RowPlace };
}

/** A row of a slice, in the order of keys and offsets. */
export interface RowPlace {
  /** Values of the join keys in the order of their names, as JSON. */
  readonly keys: readonly JsonValue[];
  readonly offset: number;
}

/** Microseconds, both ends included. */
export interface MaterializationInterval {
  readonly startUs: number;
  readonly endUs: number;
}

const VERSION = 1;
const NOTHING: BackfillRecord = { intervals: [], redo: [], files: {} };
const NO_ENTITY_KEY = new Uint8Array(0);

export interface BackfillPlace {
  readonly sourceId: number;
  readonly viewId: number;
}

/** @throws FreshetError STORE_CORRUPT, STORE_VERSION */
export async function readBackfill(
  state: StateStore,
  place: BackfillPlace,
): Promise<BackfillRecord> {
  const bytes = await state.kv.get(keyOf(place));
  if (bytes === undefined) return NOTHING;
  let value: Partial<BackfillRecord & { version: number }> | null;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw new FreshetError('STORE_CORRUPT', 'a backfill record cannot be read', { cause });
  }
  const { version, intervals, redo, files, adding, slice } = value ?? {};
  if (version !== undefined && version !== VERSION) {
    const what = `a backfill record has version ${version}, not ${VERSION}`;
    throw new FreshetError('STORE_VERSION', what);
  }
  if (intervals === undefined || redo === undefined || files === undefined) {
    throw new FreshetError('STORE_CORRUPT', 'a backfill record is not whole');
  }
  return { intervals, redo, files, ...(adding && { adding }), ...(slice && { slice }) };
}

export function putBackfill(batch: KvBatch, place: BackfillPlace, record: BackfillRecord): void {
  const text = JSON.stringify({ version: VERSION, ...record });
  batch.put(keyOf(place), Buffer.from(text));
}

function keyOf({ sourceId, viewId }: BackfillPlace): Uint8Array {
  return entityStateKey(sourceId, 0, SPACE.backfill, viewId, NO_ENTITY_KEY);
}
