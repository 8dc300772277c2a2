/**
 * Whether the promise holds: values that the online store serves are compared, bit for bit, with the
 * same values joined from the segments; plain aggregations are compared with plain SQL, too, which
 * shares no code with either.
 */
import { readPositions } from '../checkpoint/index.ts';
import type { FieldValue } from '../core/field-type.ts';
import { RANK_BATCH } from '../core/row-order.ts';
import { formatTimestampUs, US_PER_MS } from '../core/time.ts';
import type { Catalog, FeatureView } from '../definition/index.ts';
import { quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { ALL_TIMES, type HistoricalReader } from '../join/index.ts';
import { entityKeys } from '../online/index.ts';
import type { OnlineServing } from '../serving/index.ts';
import type { StateStore } from '../state/index.ts';
import { requireView } from './require.ts';
import { type PlainSqlRows, plainAggregates } from './verify-sql.ts';

export interface VerifyOptions {
  /** Views by name. Default: all that are served and joined. */
  readonly views?: readonly string[];
  /** Entities a view, chosen by `seed`. Default 200. */
  readonly entitiesMax?: number;
  /** Times a view: stream time, and later ones up to its longest window. Default 3. */
  readonly timesMax?: number;
  /** Default 1: the same sample each time. */
  readonly seed?: number;
}

export interface VerifyResult {
  readonly views: readonly ViewVerification[];
  /** Whether nothing differs. */
  readonly same: boolean;
}

export interface ViewVerification {
  readonly view: string;
  readonly entities: number;
  readonly times: readonly string[];
  readonly values: number;
  /** Values that plain SQL was asked for, too. */
  readonly sqlValues: number;
  readonly differences: readonly Difference[];
}

export interface Difference {
  /** `missing`: joined and not served; `extra`: served and not joined. */
  readonly kind: 'mismatch' | 'missing' | 'extra' | 'sql';
  readonly entity: Readonly<Record<string, FieldValue>>;
  readonly feature: string;
  readonly time: string;
  readonly online: FieldValue;
  readonly recomputed: FieldValue;
}

export interface VerifyPorts {
  readonly state: StateStore;
  readonly catalog: Catalog;
  readonly serving: OnlineServing;
  readonly reader: HistoricalReader;
  readonly sqlRows: PlainSqlRows;
  readonly nowUs: number;
}

const ENTITIES_MAX = 200;
const TIMES_MAX = 3;

/** @throws FreshetError FEATURE_VIEW_NOT_FOUND; INVALID_ARGUMENT while rows are not in segments yet */
export async function verify(ports: VerifyPorts, options: VerifyOptions): Promise<VerifyResult> {
  const { catalog } = ports;
  const views =
    options.views?.map((name) => requireView(catalog, name)) ??
    [...catalog.views.values()].filter((v) => v.online && v.offline && v.enabled);
  const results: ViewVerification[] = [];
  for (const view of views) results.push(await verifyView(ports, view, options));
  return { views: results, same: results.every(({ differences }) => differences.length === 0) };
}

async function verifyView(
  ports: VerifyPorts,
  view: FeatureView,
  { entitiesMax = ENTITIES_MAX, timesMax = TIMES_MAX, seed = 1 }: VerifyOptions,
): Promise<ViewVerification> {
  const all: Readonly<Record<string, FieldValue>>[] = [];
  for await (const key of entityKeys(ports.state, view)) all.push(key);
  const entities = sample(all, entitiesMax, seed);
  const streamTimeUs = await newestStreamTimeUs(ports, view);
  const fromUs = Math.max(streamTimeUs ?? ports.nowUs, await newestBatchTimeUs(ports, view));
  const times = timesOf(view, fromUs, timesMax, seed);
  const differences: Difference[] = [];
  let values = 0;
  let sqlValues = 0;
  for (const atUs of times) {
    const online = await servedAt(ports, view, entities, atUs);
    const joined = await joinedAt(ports, view, entities, atUs);
    const plain = await plainAggregates(ports.sqlRows, view, entities, atUs);
    for (const [i, entity] of entities.entries()) {
      for (const feature of Object.keys(view.schema)) {
        const place = { entity, feature, time: formatTimestampUs(atUs) };
        const a = online[i]?.[feature] ?? null;
        const b = joined[i]?.[feature] ?? null;
        values++;
        const kind = kindOf(a, b);
        if (kind !== null) differences.push({ kind, ...place, online: a, recomputed: b });
        const sql = plain.get(feature)?.[i];
        if (sql === undefined) continue;
        sqlValues++;
        if (!isClose(a, sql))
          differences.push({ kind: 'sql', ...place, online: a, recomputed: sql });
      }
    }
  }
  return {
    view: view.name,
    entities: entities.length,
    times: times.map(formatTimestampUs),
    values,
    sqlValues,
    differences,
  };
}

type Row = Readonly<Record<string, FieldValue>>;

async function servedAt(
  { serving }: VerifyPorts,
  view: FeatureView,
  entities: readonly Row[],
  atUs: number,
): Promise<readonly Row[]> {
  const answer = await serving.getOnlineFeatures({
    features: [view],
    entityRows: entities,
    asOf: new Date(atUs / US_PER_MS),
  } as never);
  const { values, statuses } = answer.toColumns();
  return entities.map((_, i) =>
    Object.fromEntries(
      Object.keys(view.schema).map((name): [string, FieldValue] => {
        const isOld = statuses[name]?.[i] === 'OUTSIDE_MAX_AGE';
        return [name, isOld ? null : (values[name]?.[i] ?? null)];
      }),
    ),
  );
}

async function joinedAt(
  { reader }: VerifyPorts,
  view: FeatureView,
  entities: readonly Row[],
  atUs: number,
): Promise<readonly Row[]> {
  if (entities.length === 0) return [];
  const event_timestamp = new Date(atUs / US_PER_MS);
  await using answer = await reader.getHistoricalFeatures({
    features: [view],
    entityRows: entities.map((entity) => ({ ...entity, event_timestamp })),
  } as never);
  return (await answer.toArray()) as readonly Row[];
}

/** @throws FreshetError INVALID_ARGUMENT when state is ahead of the segments */
async function newestStreamTimeUs(
  { state }: VerifyPorts,
  { streamSource }: FeatureView,
): Promise<number | null> {
  const sourceId = streamSource === null ? undefined : state.dictionary.sourceId(streamSource.name);
  if (streamSource === null || sourceId === undefined) return null;
  let newestUs: number | null = null;
  for (let partition = 0; partition < streamSource.partitions; partition++) {
    const positions = await readPositions(state, sourceId, partition);
    if (positions === null) continue;
    if (positions.sealed < positions.applied) {
      throw new FreshetError(
        'INVALID_ARGUMENT',
        `rows ${positions.sealed} to ${positions.applied - 1} are not in segments yet`,
        {
          where: { topic: streamSource.topic, partition },
          next: 'Stop the engine, which publishes what it buffers, and verify again.',
        },
      );
    }
    const maxUs = positions.appliedMaxEventTimeUs;
    if (maxUs !== null) newestUs = Math.max(newestUs ?? maxUs, maxUs);
  }
  return newestUs;
}

/** Batch history may be ahead of the stream; what is not closed yet holds all of it online. */
async function newestBatchTimeUs({ sqlRows }: VerifyPorts, view: FeatureView): Promise<number> {
  const { batchSource, streamSource } = view;
  if (batchSource === null || streamSource === null) return Number.NEGATIVE_INFINITY;
  const batch = (await sqlRows.rowsOf(view)).filter(({ rank }) => rank === RANK_BATCH);
  const times = batch.map(
    ({ sqlWithin, eventTime }) =>
      `SELECT epoch_us(max(${quoteIdentifier(eventTime)}))::DOUBLE AS newest FROM (${sqlWithin(ALL_TIMES)})`,
  );
  const found = await sqlRows.duckdb.query(times.join(' UNION ALL '));
  return Math.max(...found.map(({ newest }) => Number(newest ?? Number.NEGATIVE_INFINITY)));
}

/** Whole milliseconds, since requests name times by dates; a label in between could not be asked for. */
function timesOf(view: FeatureView, streamTimeUs: number, count: number, seed: number): number[] {
  const firstUs = Math.ceil(streamTimeUs / US_PER_MS) * US_PER_MS;
  const longestUs = Math.max(
    0,
    ...(view.windowing?.aggregations ?? []).map(({ window }) =>
      'sizeUs' in window ? window.sizeUs : 0,
    ),
  );
  const random = generator(seed);
  const later = Array.from(
    { length: view.windowing === null ? 0 : count - 1 },
    () => firstUs + Math.floor((random() * longestUs) / US_PER_MS) * US_PER_MS,
  );
  return [firstUs, ...later];
}

function kindOf(online: FieldValue, joined: FieldValue): 'mismatch' | 'missing' | 'extra' | null {
  if (isSame(online, joined)) return null;
  if (online === null) return 'missing';
  return joined === null ? 'extra' : 'mismatch';
}

/** To the last bit. */
function isSame(a: FieldValue, b: FieldValue): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => isSame(item, b[i] as FieldValue));
  }
  return typeof a === 'object' && a !== null && JSON.stringify(a) === JSON.stringify(b);
}

/** SQL sums doubles in another order than exactly. */
function isClose(value: FieldValue, sql: FieldValue): boolean {
  if (value === null || sql === null) return value === sql;
  const [a, b] = [Number(value), Number(sql)];
  return Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
}

function sample<T>(items: readonly T[], max: number, seed: number): T[] {
  const random = generator(seed);
  const chosen = [...items];
  for (let i = 0; i < Math.min(max, chosen.length); i++) {
    const j = i + Math.floor(random() * (chosen.length - i));
    [chosen[i], chosen[j]] = [chosen[j] as T, chosen[i] as T];
  }
  return chosen.slice(0, max);
}

/** A small linear congruential generator: samples need no more, and must repeat. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
