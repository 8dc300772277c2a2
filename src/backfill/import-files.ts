/**
 * Parquet files of foreign origin into batch history: the rows that its source can hold, under its
 * names and types, in files of its folder. A file is taken in parts of whole row groups, each part
 * all or nothing and under a name made of the bytes of the file, so that an interrupted import goes
 * on behind its last part, and a file that is imported again, from wherever, adds nothing. Rows that
 * the source cannot hold are set aside with their reason.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, rename, rm, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FieldType } from '../core/field-type.ts';
import { didYouMean } from '../core/nearest.ts';
import type { ParquetSource } from '../definition/index.ts';
import { type DuckdbConnection, quoteIdentifier, quoteLiteral } from '../duckdb/index.ts';
import { FreshetError, toFreshetError } from '../errors.ts';
import { nodeFileSystem } from '../segment/index.ts';
import { type ColumnCoercion, coerceColumn } from './coerce-column.ts';

export interface ImportOptions {
  readonly duckdb: DuckdbConnection;
  readonly source: ParquetSource;
  /** What paths are relative to. */
  readonly baseDirectory: string;
  /** Files, globs and folders. */
  readonly files: readonly string[];
  /** Column of the files by field, where they differ from the names of the fields. */
  readonly columns?: Readonly<Record<string, string>>;
  /** Fields that no row may lack, beside the event time. */
  readonly requiredFields: readonly string[];
  /** Takes the parts. */
  readonly targetFolder: string;
  /** Takes the rows that are set aside, as NDJSON. */
  readonly badFolder: string;
  /** Rows at or after this event time are left to the topic. */
  readonly untilUs?: number;
  /** More bad rows than these end the import. Default: any number is set aside. */
  readonly badRowsMax?: number;
  /** Rows of a part: what an interruption has done again. Default 500,000. */
  readonly partRows?: number;
  readonly onProgress?: (progress: ImportProgress) => void;
}

export interface ImportProgress {
  readonly file: string;
  readonly rowsDone: number;
  readonly rowsTotal: number;
}

export interface ImportResult {
  readonly files: number;
  /** Files all of whose parts were there before. */
  readonly filesKnown: number;
  readonly rowsRead: number;
  readonly rowsLoaded: number;
  readonly rowsBad: number;
  /** Of bad rows, with file, row group, row and column. */
  readonly badFiles: readonly string[];
  /** Rows at or after `untilUs`. */
  readonly rowsLeft: number;
  /** Parts that were made in another way before: rows of them may be gone. */
  readonly partsReplaced: number;
  /** Event times of what is loaded, also before; null without rows. */
  readonly minUs: number | null;
  readonly maxUs: number | null;
}

/** Names in the footer how a part was made. */
const RECIPE = 'freshet.import';

const PART_ROWS = 500_000;

/** @throws FreshetError PARQUET_INVALID, COLUMN_MISSING, BACKFILL_REJECTED, INVALID_ARGUMENT */
export async function importFiles(options: ImportOptions): Promise<ImportResult> {
  const files = await expand(options);
  await mkdir(options.targetFolder, { recursive: true });
  const imports: FileImport[] = [];
  for (const file of files) imports.push(await FileImport.open(options, file));
  const rowsTotal = imports.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const totals = new Totals();
  for (const one of imports) {
    await one.run(totals, (rowsDone) => {
      options.onProgress?.({ file: one.file, rowsDone, rowsTotal });
    });
  }
  return totals.result(files.length);
}

async function expand({ duckdb, files, baseDirectory }: ImportOptions): Promise<string[]> {
  const found = new Set<string>();
  for (const given of files) {
    const path = isAbsolute(given) ? given : resolve(baseDirectory, given);
    const isFolder = await stat(path).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    const pattern = isFolder ? join(path, '**', '*.parquet') : path;
    const matched = await duckdb.query(
      `SELECT file FROM glob(${quoteLiteral(pattern)}) ORDER BY file`,
    );
    if (matched.length === 0) {
      throw new FreshetError('PARQUET_INVALID', `there is no Parquet file at ${given}`, {
        where: { file: path },
      });
    }
    for (const { file } of matched) found.add(file as string);
  }
  return [...found];
}

class Totals {
  filesKnown = 0;
  rowsRead = 0;
  rowsLoaded = 0;
  rowsBad = 0;
  rowsLeft = 0;
  partsReplaced = 0;
  readonly badFiles: string[] = [];
  #minUs = Number.POSITIVE_INFINITY;
  #maxUs = Number.NEGATIVE_INFINITY;

  times(minUs: unknown, maxUs: unknown): void {
    if (minUs === null || minUs === undefined) return;
    this.#minUs = Math.min(this.#minUs, Number(minUs));
    this.#maxUs = Math.max(this.#maxUs, Number(maxUs));
  }

  result(files: number): ImportResult {
    const { filesKnown, rowsRead, rowsLoaded, rowsBad, rowsLeft, badFiles, partsReplaced } = this;
    const hasTimes = this.#minUs <= this.#maxUs;
    return {
      ...{ files, filesKnown, rowsRead, rowsLoaded, rowsBad, badFiles, rowsLeft, partsReplaced },
      minUs: hasTimes ? this.#minUs : null,
      maxUs: hasTimes ? this.#maxUs : null,
    };
  }
}

interface RowGroup {
  readonly id: number;
  readonly firstRow: number;
  readonly rowCount: number;
}

class FileImport {
  readonly file: string;
  readonly rowCount: number;
  readonly #options: ImportOptions;
  readonly #identity: string;
  readonly #groups: readonly RowGroup[];
  readonly #coercions: ReadonlyMap<string, ColumnCoercion>;

  private constructor(
    options: ImportOptions,
    file: string,
    identity: string,
    groups: readonly RowGroup[],
    coercions: ReadonlyMap<string, ColumnCoercion>,
  ) {
    this.#options = options;
    this.file = file;
    this.#identity = identity;
    this.#groups = groups;
    this.#coercions = coercions;
    this.rowCount = groups.reduce((sum, group) => sum + group.rowCount, 0);
  }

  static async open(options: ImportOptions, file: string): Promise<FileImport> {
    const identity = await contentHash(file);
    const groups = await rowGroups(options.duckdb, file);
    return new FileImport(options, file, identity, groups, await coercionsOf(options, file));
  }

  async run(totals: Totals, onRows: (rowsDone: number) => void): Promise<void> {
    let isKnown = this.#groups.length > 0;
    for (const part of packed(this.#groups, this.#options.partRows ?? PART_ROWS)) {
      const target = join(this.#options.targetFolder, `${this.#partName(part)}.parquet`);
      if (!(await this.#isDone(target))) {
        isKnown = false;
        if (await exists(target)) totals.partsReplaced++;
        await this.#importPart(part, target, totals);
      }
      const [times] = await this.#options.duckdb.query(
        `SELECT epoch_us(min(${this.#timeColumn})) AS min, epoch_us(max(${this.#timeColumn})) AS max ` +
          `FROM read_parquet(${quoteLiteral(target)})`,
      );
      totals.times(times?.['min'], times?.['max']);
      totals.rowsRead += part.reduce((sum, group) => sum + group.rowCount, 0);
      onRows(totals.rowsRead);
    }
    if (isKnown) totals.filesKnown++;
  }

  /** Whether the part is there, made in the way that is asked for now; another one is replaced. */
  async #isDone(target: string): Promise<boolean> {
    if (!(await exists(target))) return false;
    const [found] = await this.#options.duckdb.query(
      `SELECT decode(value) AS recipe FROM parquet_kv_metadata(${quoteLiteral(target)}) ` +
        `WHERE decode(key) = ${quoteLiteral(RECIPE)}`,
    );
    return found?.['recipe'] === this.#recipe;
  }

  /** Equal for imports that make the same rows of a file. */
  get #recipe(): string {
    const { source, requiredFields, untilUs = null } = this.#options;
    const coercions = [...this.#coercions].map(([field, { value }]) => [
      storedName(source, field),
      value,
    ]);
    const text = JSON.stringify([coercions, requiredFields, untilUs]);
    return createHash('sha256').update(text).digest('hex');
  }

  /** The part's rows, in the order of the file. */
  async #importPart(part: readonly RowGroup[], target: string, totals: Totals): Promise<void> {
    const { duckdb, badRowsMax = Number.POSITIVE_INFINITY } = this.#options;
    await duckdb.run(`CREATE OR REPLACE TEMP TABLE imported AS ${this.#rowsSql(part)}`);
    try {
      const [counts] = await duckdb.query(
        `SELECT count(*) FILTER (_column IS NOT NULL)::DOUBLE AS bad, ` +
          `count(*) FILTER (_column IS NULL AND _left)::DOUBLE AS "left", ` +
          `count(*) FILTER (_column IS NULL AND NOT _left)::DOUBLE AS good FROM imported`,
      );
      const bad = Number(counts?.['bad']);
      const badFile = bad === 0 ? null : await this.#writeBad(part);
      if (totals.rowsBad + bad > badRowsMax)
        throw await this.#tooMany(totals.rowsBad + bad, badFile);
      if (badFile !== null) totals.badFiles.push(badFile);
      await this.#writeGood(target);
      totals.rowsBad += bad;
      totals.rowsLeft += Number(counts?.['left']);
      totals.rowsLoaded += Number(counts?.['good']);
    } finally {
      await duckdb.run('DROP TABLE IF EXISTS imported');
    }
  }

  #rowsSql(part: readonly RowGroup[]): string {
    const { source, requiredFields, untilUs } = this.#options;
    const [first, last] = [part[0] as RowGroup, part.at(-1) as RowGroup];
    const fields = [...this.#coercions].map(
      ([field, { value }]) => `${value} AS ${quoteIdentifier(storedName(source, field))}`,
    );
    const required = new Set([source.timestampField, ...requiredFields]);
    const problems = [...this.#coercions].flatMap(([field, { value, isBad }]) => [
      ...(isBad === null ? [] : [`WHEN ${isBad} THEN ${quoteLiteral(field)}`]),
      ...(required.has(field) ? [`WHEN (${value}) IS NULL THEN ${quoteLiteral(field)}`] : []),
    ]);
    const time = (this.#coercions.get(source.timestampField) as ColumnCoercion).value;
    const left = untilUs === undefined ? 'false' : `(${time}) >= make_timestamp(${untilUs})`;
    return (
      `SELECT ${fields.join(', ')}, file_row_number AS _row, to_json(r) AS _original, ` +
      `CASE ${problems.join(' ')} END AS _column, coalesce(${left}, false) AS _left ` +
      `FROM ${relation(this.file)} r ` +
      `WHERE file_row_number BETWEEN ${first.firstRow} AND ${last.firstRow + last.rowCount - 1}`
    );
  }

  async #writeGood(target: string): Promise<void> {
    const { duckdb } = this.#options;
    const temporary = `${target}.tmp`;
    const system = '_row, _original, _column, _left';
    try {
      await duckdb.run(
        `COPY (SELECT * EXCLUDE (${system}) FROM imported WHERE _column IS NULL AND NOT _left ORDER BY _row) ` +
          `TO ${quoteLiteral(temporary)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, ` +
          `KV_METADATA {${quoteLiteral(RECIPE)}: ${quoteLiteral(this.#recipe)}})`,
      );
      await nodeFileSystem.syncFile(temporary);
      await rename(temporary, target);
      await nodeFileSystem.syncDirectory(this.#options.targetFolder);
    } catch (thrown) {
      await rm(temporary, { force: true });
      throw toFreshetError(thrown, 'DISK_FAILED', { file: target });
    }
  }

  /** One object a line: where the row is, which field it has no value for, and the row as it was. */
  async #writeBad(part: readonly RowGroup[]): Promise<string> {
    const { duckdb, badFolder, source } = this.#options;
    await mkdir(badFolder, { recursive: true });
    const file = join(badFolder, `${this.#partName(part)}.ndjson`);
    const groups = part.map(
      ({ id, firstRow, rowCount }) => `WHEN _row < ${firstRow + rowCount} THEN ${id}`,
    );
    const types = Object.entries(source.schema).map(
      ([field, type]) => `WHEN ${quoteLiteral(field)} THEN ${quoteLiteral(type)}`,
    );
    await duckdb.run(
      `COPY (SELECT ${quoteLiteral(this.file)} AS file, CASE ${groups.join(' ')} END AS row_group, ` +
        `_row AS row, _column AS "column", 'no value of type ' || CASE _column ${types.join(' ')} END AS reason, ` +
        `_original AS original FROM imported WHERE _column IS NOT NULL ORDER BY _row) ` +
        `TO ${quoteLiteral(file)} (FORMAT json)`,
    );
    return file;
  }

  async #tooMany(bad: number, badFile: string | null): Promise<FreshetError> {
    const [first] = await this.#options.duckdb.query(
      `SELECT _row AS row, _column AS "column" FROM imported WHERE _column IS NOT NULL ORDER BY _row LIMIT 1`,
    );
    return new FreshetError(
      'BACKFILL_REJECTED',
      `${bad} rows cannot be held, more than ${this.#options.badRowsMax} are allowed; they are in ${badFile}`,
      {
        where: {
          file: this.file,
          row: Number(first?.['row']),
          column: String(first?.['column']),
        },
      },
    );
  }

  #partName(part: readonly RowGroup[]): string {
    const [first, last] = [part[0] as RowGroup, part.at(-1) as RowGroup];
    return `import-${this.#identity.slice(0, 16)}-${first.id}-${last.id}`;
  }

  get #timeColumn(): string {
    const { source } = this.#options;
    return quoteIdentifier(storedName(source, source.timestampField));
  }
}

/** Parts are read with the same mapping as the other files of the source. */
function storedName({ columnMap }: ParquetSource, field: string): string {
  return columnMap[field] ?? field;
}

async function coercionsOf(
  { duckdb, source, columns = {} }: ImportOptions,
  file: string,
): Promise<Map<string, ColumnCoercion>> {
  const described = await duckdb.query(`DESCRIBE SELECT * FROM ${relation(file)}`);
  const types = new Map(
    described.map((row) => [String(row['column_name']), String(row['column_type'])]),
  );
  types.delete('file_row_number');
  const coercions = new Map<string, ColumnCoercion>();
  for (const [field, type] of Object.entries(source.schema)) {
    const column = columns[field] ?? source.columnMap[field] ?? field;
    const sqlType = types.get(column);
    const where = { file, column };
    if (sqlType === undefined) {
      const what = `${file} has no column "${column}" for the field "${field}". ${didYouMean(column, types.keys())}`;
      throw new FreshetError('COLUMN_MISSING', what, { where });
    }
    const coercion = coerceColumn(`r.${quoteIdentifier(column)}`, sqlType, type as FieldType);
    if (coercion === null) {
      const what = `column "${column}" of ${file} is ${sqlType}, of which ${type} can hold nothing`;
      throw new FreshetError('PARQUET_INVALID', what, { where });
    }
    coercions.set(field, coercion);
  }
  return coercions;
}

function relation(file: string): string {
  return `read_parquet(${quoteLiteral(file)}, file_row_number = true, hive_partitioning = true)`;
}

async function rowGroups(duckdb: DuckdbConnection, file: string): Promise<RowGroup[]> {
  const found = await duckdb.query(
    `SELECT row_group_id AS id, any_value(row_group_num_rows) AS n ` +
      `FROM parquet_metadata(${quoteLiteral(file)}) GROUP BY 1 ORDER BY 1`,
  );
  let firstRow = 0;
  return found.map(({ id, n }) => {
    const group = { id: Number(id), firstRow, rowCount: Number(n) };
    firstRow += group.rowCount;
    return group;
  });
}

function packed(groups: readonly RowGroup[], partRows: number): RowGroup[][] {
  const parts: RowGroup[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    if (rows >= partRows) {
      parts.push([]);
      rows = 0;
    }
    (parts.at(-1) as RowGroup[]).push(group);
    rows += group.rowCount;
  }
  return parts;
}

async function contentHash(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
