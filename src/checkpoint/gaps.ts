/**
 * Gaps: offsets that retention removed before they were read, and that the engine was told to go on
 * without (`skipGap`). They are kept beside the manifest, so that whoever reads state or history can
 * say what is missing there.
 *
 * ```
 * key   := numberedKey(sourceId, partition, SPACE.gap, fromOffset) | of u8 (0 state, 1 history)
 * value := JSON { version (1), toOffset, skippedAtMs }
 * ```
 *
 * Golden bytes: `test/checkpoint/gaps.test.ts`.
 */
import { FreshetError } from '../errors.ts';
import type { KvBatch, KvReader } from '../kv/index.ts';
import {
  numberedKey,
  numberOfKey,
  prefixRange,
  SPACE,
  stateKey,
  statePartitions,
} from '../state/index.ts';

/** Records `[fromOffset, toOffset)` of a partition are not in `of`. */
export interface Gap {
  readonly partition: number;
  readonly of: 'state' | 'history';
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly skippedAtMs: number;
}

const VERSION = 1;
const PLACES = ['state', 'history'] as const;

/** The gaps of a source by partition and offset. @throws FreshetError STORE_VERSION, STORE_CORRUPT */
export async function listGaps(kv: KvReader, sourceId: number): Promise<Gap[]> {
  const gaps: Gap[] = [];
  for (const { partition, ...state } of await statePartitions(kv)) {
    if (state.sourceId !== sourceId) continue;
    const range = prefixRange(stateKey(sourceId, partition, SPACE.gap));
    for await (const page of kv.scan(range)) {
      for (const [key, value] of page) gaps.push(decodeGap(partition, key, value));
    }
  }
  return gaps;
}

export function putGap(batch: KvBatch, sourceId: number, gap: Gap): void {
  const { toOffset, skippedAtMs } = gap;
  const key = Buffer.concat([
    numberedKey(sourceId, gap.partition, SPACE.gap, gap.fromOffset),
    Buffer.from([PLACES.indexOf(gap.of)]),
  ]);
  const json = JSON.stringify({ version: VERSION, toOffset, skippedAtMs });
  batch.put(key, Buffer.from(json));
}

function decodeGap(partition: number, key: Uint8Array, value: Uint8Array): Gap {
  let stored: { version: unknown; toOffset: number; skippedAtMs: number };
  try {
    stored = JSON.parse(Buffer.from(value).toString());
  } catch (cause) {
    throw new FreshetError('STORE_CORRUPT', 'a gap entry cannot be read', { cause });
  }
  const { version, toOffset, skippedAtMs } = stored;
  if (version !== VERSION) {
    throw new FreshetError('STORE_VERSION', `a gap entry has version ${version}, not ${VERSION}`);
  }
  const of = PLACES[key.at(-1) as number];
  if (of === undefined) throw new FreshetError('STORE_CORRUPT', 'a gap entry is of nothing known');
  return { partition, of, fromOffset: numberOfKey(key), toOffset, skippedAtMs };
}
