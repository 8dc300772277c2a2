/**
 * Loads the newest rows of a view's batch history into the online store: the same compare-and-put
 * as the stream's, so that an older row never regresses a newer value, whichever comes last.
 *
 * Missing ranges are read in slices of event time. The rows of a slice and the note that it is done
 * are durable before the next begins, so that an interrupted run goes on behind its last slice.
 *
 * A window may not count a row twice: each write notes its last row, and a stopped slice is gone on
 * with behind it. Files behind all others are added to what is done, slice by slice as well. What a changed file holds
 * cannot be told from what was counted, so that it makes a windowed view begin again.
 */
import { type FeatureView, type ParquetSource, stateFingerprint } from '../definition/index.ts';
import { type DuckdbConnection, quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch } from '../kv/index.ts';
import { claimView } from '../online/index.ts';
import { type ParquetRelation, parquetRelation } from '../segment/index.ts';
import { deletePartitionOfView, type StateStore } from '../state/index.ts';
import { inSpan } from '../telemetry/index.ts';
import {
  type BackfillPlace,
  type BackfillRecord,
  type MaterializationInterval,
  putBackfill,
  readBackfill,
} from './backfill-record.ts';
import { fileMark } from './file-mark.ts';
import { listParts } from './imported-parts.ts';
import { addInterval, uncovered } from './intervals.ts';
import { loadNewest, loadWindows } from './load-slice.ts';
import {
  type BackfillMode,
  type BackfillPlan,
  beginAgain,
  isAddition,
  lacksParts,
  planBackfill,
} from './plan-backfill.ts';

export interface MaterializeViewOptions {
  readonly state: StateStore;
  readonly duckdb: DuckdbConnection;
  readonly view: FeatureView;
  readonly source: ParquetSource;
  /** What the path of the source is relative to. */
  readonly baseDirectory: string;
  /** A folder of parts that were loaded for the online store alone. Default: none. */
  readonly onlineFolder?: string;
  readonly requested: MaterializationInterval;
  readonly mode: BackfillMode;
  /** Rows in about one slice, which is sorted. Default 4 million. */
  readonly sliceRowsMax?: number;
  /** Rows in one write of the store. Default 16,384. */
  readonly writeRowsMax?: number;
  readonly onProgress?: (progress: BackfillProgress) => void;
}

export interface BackfillProgress {
  readonly view: string;
  readonly rowsDone: number;
  readonly rowsTotal: number;
}

export interface BackfillResult {
  readonly view: string;
  readonly rowsRead: number;
  /** Rows that were newer than what was stored. */
  readonly rowsWritten: number;
  readonly intervals: readonly MaterializationInterval[];
}

/** Sorting these takes a second or two, and some hundred MB, in memory or not. */
const SLICE_ROWS = 4_000_000;
const WRITE_ROWS = 16_384;

type FileMarks = Readonly<Record<string, string>>;

/**
 * @throws FreshetError JOIN_KEY_NOT_IN_SOURCE, COLUMN_MISSING, PARQUET_INVALID, and those of the
 * store; what was done before stays
 */
export async function materializeView(options: MaterializeViewOptions): Promise<BackfillResult> {
  const run = await BackfillRun.open(options);
  return run.execute();
}

/** The intervals of a view that are materialized, in order of time. */
export async function materializationIntervals(
  state: StateStore,
  view: FeatureView,
): Promise<readonly MaterializationInterval[]> {
  const sourceId = state.dictionary.sourceId(view.batchSource?.name ?? '');
  const viewId = state.dictionary.viewId(view.name);
  if (sourceId === undefined || viewId === undefined) return [];
  return (await readBackfill(state, { sourceId, viewId })).intervals;
}

class BackfillRun {
  readonly #options: MaterializeViewOptions;
  readonly #relation: ParquetRelation;
  readonly #place: BackfillPlace;
  #record: BackfillRecord;
  #rowsTotal = 0;
  #rowsRead = 0;
  #rowsWritten = 0;

  private constructor(
    options: MaterializeViewOptions,
    relation: ParquetRelation,
    place: BackfillPlace,
    record: BackfillRecord,
  ) {
    this.#options = options;
    this.#relation = relation;
    this.#place = place;
    this.#record = record;
  }

  static async open(options: MaterializeViewOptions): Promise<BackfillRun> {
    const { state, view, source } = options;
    const relation = await openRelation(options);
    const sourceId = await state.dictionary.ensureSource(source.name);
    const { viewId, isOutdated } = await claimBatchView(state, view);
    const place = { sourceId, viewId };
    const record = await readBackfill(state, place);
    const run = new BackfillRun(options, relation, place, record);
    if (isOutdated) {
      await run.#beginAgain();
      await state.dictionary.setStateFingerprint(viewId, stateFingerprint(view));
    }
    return run;
  }

  async execute(): Promise<BackfillResult> {
    const { view } = this.#options;
    const files = await this.#fileMarks();
    await this.#finishSlice(files);
    const plan = await this.#plan(files);
    const changed = this.#onlyFiles(plan.changedFiles, files);
    for (const range of plan.again) this.#rowsTotal += (await this.#measure(changed, range)).rows;
    const slices: MaterializationInterval[] = [];
    for (const range of plan.missing) {
      const measured = await this.#measure(this.#relation, range);
      this.#rowsTotal += measured.rows;
      slices.push(...slicesOf(range, measured, this.#sliceRowsMax));
    }
    if (view.windowing === null) {
      for (const range of plan.again) await this.#load(changed, range, (record) => record);
    } else await this.#addFiles(plan, files);
    await this.#note({ ...this.#record, files });
    for (const slice of slices) await this.#loadMissing(this.#relation, slice);
    const { intervals } = this.#record;
    const rows = { rowsRead: this.#rowsRead, rowsWritten: this.#rowsWritten };
    return { view: view.name, ...rows, intervals };
  }

  /** What is to be done. A view that must begin again has nothing done, in one write. */
  async #plan(files: FileMarks): Promise<BackfillPlan> {
    const { requested, mode, view } = this.#options;
    const plan = planBackfill(this.#record, files, requested, mode);
    const mustBegin =
      lacksParts(this.#record, files) ||
      (view.windowing !== null && plan.again.length > 0 && !isAddition(this.#record, plan, files));
    if (!mustBegin) return plan;
    await this.#beginAgain();
    return planBackfill(this.#record, files, requested, mode);
  }

  /**
   * Ends the slice at which a run was stopped, of the files that it was begun with: whatever is asked
   * for now, a slice is not done by half.
   */
  async #finishSlice(files: FileMarks): Promise<void> {
    const { slice, adding } = this.#record;
    if (slice === undefined) return;
    const { requested, mode } = this.#options;
    const plan = planBackfill(this.#record, files, requested, mode);
    if (!isAddition(this.#record, plan, files)) return this.#beginAgain();
    if (adding === undefined) {
      const relation = this.#onlyFiles(Object.keys(this.#record.files), files);
      await this.#loadMissing(relation, slice.range);
    } else {
      await this.#loadAdded(
        adding.files,
        this.#onlyFiles(Object.keys(adding.files), files),
        slice.range,
      );
    }
  }

  /** Counts the rows of new files in what is done: first of those that a run was stopped at. */
  async #addFiles(plan: BackfillPlan, files: FileMarks): Promise<void> {
    const begun = this.#record.adding?.files ?? {};
    const rest = plan.changedFiles.filter((path) => begun[path] === undefined);
    for (const paths of [Object.keys(begun), rest]) {
      if (paths.length === 0 || plan.again.length === 0) continue;
      const added = Object.fromEntries(paths.map((path) => [path, files[path] as string]));
      const relation = this.#onlyFiles(paths, files);
      const done = this.#record.adding?.intervals ?? [];
      for (const range of plan.again.flatMap((interval) => uncovered(interval, done))) {
        const measured = await this.#measure(relation, range);
        for (const slice of slicesOf(range, measured, this.#sliceRowsMax)) {
          await this.#loadAdded(added, relation, slice);
        }
      }
      const { adding: _, ...record } = this.#record;
      await this.#note({ ...record, files: { ...record.files, ...added } });
    }
  }

  #loadMissing(relation: ParquetRelation, slice: MaterializationInterval): Promise<void> {
    return this.#load(relation, slice, (record) => {
      const intervals = addInterval(record.intervals, slice);
      const redo = record.redo.filter((range) => uncovered(range, intervals).length > 0);
      return { ...record, intervals, redo };
    });
  }

  #loadAdded(
    files: FileMarks,
    relation: ParquetRelation,
    slice: MaterializationInterval,
  ): Promise<void> {
    return this.#load(
      relation,
      slice,
      (record) => {
        const intervals = addInterval(record.adding?.intervals ?? [], slice);
        return { ...record, adding: { files, intervals } };
      },
      { files, intervals: this.#record.adding?.intervals ?? [] },
    );
  }

  async #beginAgain(): Promise<void> {
    const { sourceId, viewId } = this.#place;
    const deletion = new KvBatch();
    deletePartitionOfView({ sourceId, partition: 0 }, viewId, deletion);
    await this.#note(beginAgain(this.#record), deletion);
  }

  get #sliceRowsMax(): number {
    return this.#options.sliceRowsMax ?? SLICE_ROWS;
  }

  /** Loads a slice, from where a stopped run had come to; `done` is the record behind it. */
  async #load(
    relation: ParquetRelation,
    range: MaterializationInterval,
    done: (record: BackfillRecord) => BackfillRecord,
    adding?: BackfillRecord['adding'],
  ): Promise<void> {
    const [readBefore, writtenBefore] = [this.#rowsRead, this.#rowsWritten];
    await inSpan(
      () => ({ name: 'backfill.slice', attributes: { view: this.#options.view.name, ...range } }),
      () => this.#loadRows(relation, range, done, adding),
      () => ({
        rows: this.#rowsRead - readBefore,
        rowsWritten: this.#rowsWritten - writtenBefore,
      }),
    );
  }

  async #loadRows(
    relation: ParquetRelation,
    range: MaterializationInterval,
    done: (record: BackfillRecord) => BackfillRecord,
    adding: BackfillRecord['adding'],
  ): Promise<void> {
    const { state, duckdb, view, source, writeRowsMax = WRITE_ROWS } = this.#options;
    const { sourceId } = this.#place;
    const { rows } = await this.#measure(relation, range);
    const before = this.#rowsRead;
    const slice = { state, duckdb, view, source, sourceId, relation, range, writeRowsMax };
    const after = this.#record.slice?.after ?? null;
    const isWindowed = view.windowing !== null;
    for await (const loaded of isWindowed ? loadWindows(slice, after) : loadNewest(slice)) {
      this.#rowsRead += loaded.rows;
      this.#rowsWritten += loaded.written;
      const record = { ...this.#record, ...(adding && { adding }) };
      if (isWindowed)
        await this.#note({ ...record, slice: { range, after: loaded.last } }, loaded.batch);
      else await state.kv.write(loaded.batch);
      this.#report();
    }
    // Rows without an entity, or not the newest of theirs, are read as well.
    if (this.#rowsRead !== before + rows) {
      this.#rowsRead = before + rows;
      this.#report();
    }
    const { slice: _, ...record } = this.#record;
    await this.#note(done(record));
  }

  async #note(record: BackfillRecord, batch: KvBatch = new KvBatch()): Promise<void> {
    putBackfill(batch, this.#place, record);
    await this.#options.state.kv.write(batch, { sync: true });
    this.#record = record;
  }

  #report(): void {
    const { onProgress, view } = this.#options;
    const rowsTotal = Math.max(this.#rowsTotal, this.#rowsRead);
    onProgress?.({ view: view.name, rowsDone: this.#rowsRead, rowsTotal });
  }

  async #measure(
    relation: ParquetRelation,
    range: MaterializationInterval,
  ): Promise<{ rows: number; minUs: number; maxUs: number }> {
    const { duckdb, source } = this.#options;
    const column = quoteIdentifier(source.timestampField);
    const [row] = await duckdb.query(
      `SELECT count(*) AS n, epoch_us(min(${column})) AS min, epoch_us(max(${column})) AS max ` +
        `FROM (${relation.sql}) WHERE epoch_us(${column}) BETWEEN ${range.startUs} AND ${range.endUs}`,
    );
    return {
      rows: Number(row?.['n'] ?? 0),
      minUs: Number(row?.['min'] ?? range.startUs),
      maxUs: Number(row?.['max'] ?? range.endUs),
    };
  }

  /** Marks of the files by path, in the order in which they are numbered in offsets. */
  async #fileMarks(): Promise<FileMarks> {
    const marks: Record<string, string> = {};
    for (const file of this.#relation.files) marks[file] = await fileMark(file);
    return marks;
  }

  /** The relation's rows of some files: a row's offset tells the number of its file. */
  #onlyFiles(paths: readonly string[], files: FileMarks): ParquetRelation {
    const all = Object.keys(files);
    if (paths.length === all.length) return this.#relation;
    const numbers = paths.map((path) => all.indexOf(path));
    const condition = `_offset // 4294967296 IN (${numbers.join(', ') || 'NULL'})`;
    return { ...this.#relation, sql: `SELECT * FROM (${this.#relation.sql}) WHERE ${condition}` };
  }
}

/** Equal parts of the time that has rows; the first and the last reach to the ends of the range. */
function slicesOf(
  { startUs, endUs }: MaterializationInterval,
  measured: { readonly rows: number; readonly minUs: number; readonly maxUs: number },
  sliceRows: number,
): MaterializationInterval[] {
  const count = Math.max(1, Math.ceil(measured.rows / sliceRows));
  const width = Math.ceil((measured.maxUs - measured.minUs + 1) / count);
  const slices: MaterializationInterval[] = [];
  let from = startUs;
  for (let i = 1; i < count; i++) {
    const to = measured.minUs + i * width - 1;
    if (to < from || to >= endUs) continue;
    slices.push({ startUs: from, endUs: to });
    from = to + 1;
  }
  slices.push({ startUs: from, endUs });
  return slices;
}

/** State of another definition is given up: batch history is read again. That of a stream is the engine's. */
async function claimBatchView(
  state: StateStore,
  view: FeatureView,
): Promise<{ viewId: number; isOutdated: boolean }> {
  const viewId = state.dictionary.viewId(view.name);
  const stored = viewId === undefined ? undefined : state.dictionary.stateFingerprint(viewId);
  const isOutdated = stored !== undefined && stored !== stateFingerprint(view);
  if (viewId === undefined || !isOutdated || view.streamSource !== null) {
    return { viewId: await claimView({ state, view }), isOutdated: false };
  }
  return { viewId, isOutdated };
}

async function openRelation(options: MaterializeViewOptions): Promise<ParquetRelation> {
  const { duckdb, source, view, baseDirectory, onlineFolder } = options;
  const parts = onlineFolder === undefined ? [] : await listParts(duckdb, onlineFolder);
  try {
    const more = parts.map(({ path }) => path);
    return await parquetRelation(duckdb, source, baseDirectory, { more });
  } catch (thrown) {
    if (!(thrown instanceof FreshetError) || thrown.code !== 'COLUMN_MISSING') throw thrown;
    const key = Object.keys(view.joinKeys).find(
      (name) => (source.columnMap[name] ?? name) === thrown.where.column,
    );
    if (key === undefined) throw thrown;
    throw new FreshetError(
      'JOIN_KEY_NOT_IN_SOURCE',
      `join key "${key}" of view "${view.name}" is not in source "${source.name}": ${thrown.message}`,
      { where: { ...thrown.where, view: view.name }, cause: thrown },
    );
  }
}
