import type { RetentionConfig } from '../config/index.ts';
import { didYouMean } from '../core/nearest.ts';
import { parseDurationUs } from '../core/time.ts';
import type { Catalog, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { SegmentEntry } from '../segment/index.ts';
import { channels } from '../telemetry/index.ts';
import type { Resources } from './resources.ts';

/** What a source keeps; null: without a bound. */
interface Retention {
  /** Behind the newest event time of the source. */
  readonly ageUs: number | null;
  readonly bytes: number | null;
}

/** What retention takes away, or would take away, of one source. */
export interface RetentionResult {
  readonly source: string;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  /** Rows before this event time may be gone, in microseconds; null when none is. */
  readonly beforeUs: number | null;
}

/**
 * Takes files out of history whose rows no view of the source needs any more; they are deleted after
 * the grace. The online store is left as it is: its rows and windows grow old by their own rules.
 * @throws FreshetError CONFIG_INVALID when the configuration names a view that is not there
 */
export async function retainHistory(
  resources: Resources,
  catalog: Catalog,
  source: TopicSource,
  options: { readonly dryRun?: boolean } = {},
): Promise<RetentionResult> {
  const kept = retentionOf(catalog, source, resources.config.offlineStore.retention);
  const isDry = options.dryRun === true;
  const entries = isDry
    ? await resources.readState((_, manifest) => manifest.entries(source.name))
    : await (await resources.manifest()).entries(source.name);
  const expired = expiredEntries(entries, kept);
  const times = expired.map(({ maxEventTimeUs }) => maxEventTimeUs as number);
  const result: RetentionResult = {
    source: source.name,
    files: expired.length,
    rows: expired.reduce((sum, { rowCount }) => sum + rowCount, 0),
    bytes: expired.reduce((sum, { bytes }) => sum + bytes, 0),
    beforeUs: times.length === 0 ? null : Math.max(...times) + 1,
  };
  if (result.beforeUs === null || isDry) return result;
  const manifest = await resources.manifest();
  const removed = { entries: expired, atMs: resources.clock.nowMs() };
  await manifest.commit(source.name, { added: expired.map(withoutRows), removed });
  const { files, rows, beforeUs } = result;
  channels.dropped.publish({ source: source.name, files, rows, beforeUs });
  return result;
}

/** The longest that any view of a source needs. @throws FreshetError CONFIG_INVALID */
function retentionOf(
  catalog: Catalog,
  source: TopicSource,
  byView: Readonly<Record<string, RetentionConfig>>,
): Retention {
  for (const name of Object.keys(byView)) {
    if (catalog.views.has(name)) continue;
    throw new FreshetError(
      'CONFIG_INVALID',
      `offlineStore.retention: there is no view "${name}". ${didYouMean(name, [...catalog.views.keys()])}`,
      {
        where: { view: name },
      },
    );
  }
  const views = [...catalog.views.values()].filter((view) => view.streamSource === source);
  const needs = views.map(({ name }) => byView[name] ?? {});
  const longest = (values: readonly (number | undefined)[]): number | null =>
    values.length === 0 || values.includes(undefined) ? null : Math.max(...(values as number[]));
  return {
    ageUs: longest(needs.map(({ age }) => (age === undefined ? undefined : parseDurationUs(age)))),
    bytes: longest(needs.map(({ bytes }) => bytes)),
  };
}

/** Files all of whose rows are too old, and the oldest of those that are too many. Pure. */
function expiredEntries(
  entries: readonly SegmentEntry[],
  { ageUs, bytes }: Retention,
): SegmentEntry[] {
  const files = entries
    .filter(({ file }) => file !== null)
    .sort((a, b) => (b.maxEventTimeUs as number) - (a.maxEventTimeUs as number));
  const newestUs = files[0]?.maxEventTimeUs ?? 0;
  let kept = 0;
  return files.filter((entry, i) => {
    const tooOld = ageUs !== null && (entry.maxEventTimeUs as number) < newestUs - ageUs;
    kept += entry.bytes;
    // The newest file stays, however large: a bound of bytes is not to empty history.
    const tooMany = bytes !== null && kept > bytes && i > 0;
    return tooOld || tooMany;
  });
}

/** The range stays in the manifest: the offsets of a partition have no holes. */
function withoutRows(entry: SegmentEntry): SegmentEntry {
  return {
    ...entry,
    file: null,
    rowCount: 0,
    bytes: 0,
    minEventTimeUs: null,
    maxEventTimeUs: null,
    minArrivalTimeUs: null,
    maxArrivalTimeUs: null,
    maxLateUs: null,
  };
}
