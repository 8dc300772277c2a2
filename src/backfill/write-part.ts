import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ParquetSource } from '../definition/index.ts';
import { type DuckdbConnection, quoteIdentifier, quoteLiteral } from '../duckdb/index.ts';
import { toFreshetError } from '../errors.ts';
import { nodeFileSystem } from '../segment/index.ts';
import { type ForeignFile, foreignRows, type RowGroup } from './foreign-file.ts';
import { encodeNote, PART_KEY, type PartNote } from './imported-parts.ts';

/** Some row groups of a foreign file on their way to the fields of a source. */
export interface PartRows {
  readonly duckdb: DuckdbConnection;
  readonly source: ParquetSource;
  readonly file: ForeignFile;
  readonly groups: readonly RowGroup[];
  /** Fields that no row may lack. */
  readonly required: ReadonlySet<string>;
  /** Rows at or after this event time are left; null: none is. */
  readonly untilUs: number | null;
  /** Rows at or after these offsets are left; null: none is, or none says its offset. */
  readonly untilOffsets: UntilOffsets | null;
}

/** Where files that were made of a topic say the place of each row in it. */
export interface UntilOffsets {
  readonly partitionColumn: string;
  readonly offsetColumn: string;
  /** By partition. */
  readonly offsets: readonly number[];
}

export type PartCounts = Omit<PartNote, 'recipe' | 'file' | 'columns'>;

/** A row that the source cannot hold: where it is, and the first field that it has no value for. */
export interface BadRow {
  readonly file: string;
  readonly rowGroup: number;
  /** From 0, in the file. */
  readonly row: number;
  readonly field: string;
  readonly column: string;
  readonly reason: string;
  /** What stands there, as text. */
  readonly value: string | null;
}

/** What is set aside of a bad row. */
const BAD_ROW_COLUMNS = {
  file: 'VARCHAR',
  row_group: 'BIGINT',
  row: 'BIGINT',
  field: 'VARCHAR',
  column: 'VARCHAR',
  reason: 'VARCHAR',
  value: 'VARCHAR',
  original: 'JSON',
};

/** Counts and times of what the part will be, from the rows themselves. */
export async function measurePart(part: PartRows): Promise<PartCounts> {
  const time = quoteIdentifier(storedName(part.source, part.source.timestampField));
  const good = '_bad IS NULL AND NOT _left';
  const [found] = await part.duckdb.query(
    `SELECT count(*) FILTER (_bad IS NOT NULL)::DOUBLE AS bad, ` +
      `count(*) FILTER (_bad IS NULL AND _left)::DOUBLE AS "left", ` +
      `count(*) FILTER (${good})::DOUBLE AS good, ` +
      `epoch_us(min(${time}) FILTER (${good}))::DOUBLE AS min, ` +
      `epoch_us(max(${time}) FILTER (${good}))::DOUBLE AS max FROM (${rowsSql(part)})`,
  );
  const timeOf = (value: unknown): number | null => (value === null ? null : Number(value));
  return {
    rowsLoaded: Number(found?.['good']),
    rowsBad: Number(found?.['bad']),
    rowsLeft: Number(found?.['left']),
    minUs: timeOf(found?.['min']),
    maxUs: timeOf(found?.['max']),
    ...(part.untilOffsets && { offsetEnds: await offsetEnds(part, part.untilOffsets) }),
  };
}

async function offsetEnds(part: PartRows, until: UntilOffsets): Promise<number[]> {
  const [partition, offset] = [until.partitionColumn, until.offsetColumn].map(
    (column) => `r.${quoteIdentifier(column)}`,
  );
  const found = await part.duckdb.query(
    `SELECT p, max(o)::DOUBLE + 1 AS "end" FROM (SELECT ${partition}::INTEGER AS p, ${offset}::BIGINT AS o, ` +
      `${atOrAfterSql(until)} AS later ${fromSql(part)}) WHERE NOT later GROUP BY p`,
  );
  const ends = new Map(found.map(({ p, end }) => [Number(p), Number(end)]));
  return until.offsets.map((_, p) => ends.get(p) ?? 0);
}

/**
 * Writes the rows that the source can hold, in the order of the file.
 * @throws FreshetError DISK_FULL, DISK_FAILED
 */
export async function writePart(part: PartRows, path: string, note: PartNote): Promise<void> {
  const sql = `SELECT * EXCLUDE (_bad, _left) FROM (${rowsSql(part)}) WHERE _bad IS NULL AND NOT _left`;
  await writePartFile(part.duckdb, sql, path, note);
}

/**
 * A part of the rows of a query: to a temporary name, synced, then renamed.
 * @throws FreshetError DISK_FULL, DISK_FAILED
 */
export async function writePartFile(
  duckdb: DuckdbConnection,
  sql: string,
  path: string,
  note: PartNote,
): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await duckdb.run(
      `COPY (${sql}) TO ${quoteLiteral(temporary)} (FORMAT parquet, COMPRESSION zstd, ` +
        `USE_TMP_FILE false, KV_METADATA {${quoteLiteral(PART_KEY)}: ${quoteLiteral(encodeNote(note))}})`,
    );
    await nodeFileSystem.syncFile(temporary);
    await rename(temporary, path);
    await nodeFileSystem.syncDirectory(dirname(path));
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  }
}

/** One object a line: a bad row's place, field, column, reason and value, and the row as it was. */
export async function writeBadRows(part: PartRows, folder: string, name: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await part.duckdb.run(
    `COPY (${badRowsSql(part)}) TO ${quoteLiteral(path)} (FORMAT json, USE_TMP_FILE false)`,
  );
  return path;
}

/** The rows of such files in one, Parquet or NDJSON by its name. @throws FreshetError DISK_FAILED */
export async function collectBadRows(
  duckdb: DuckdbConnection,
  paths: readonly string[],
  target: string,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const types = Object.entries(BAD_ROW_COLUMNS).map(([name, type]) => `"${name}": '${type}'`);
  const rows =
    paths.length === 0
      ? `SELECT ${Object.entries(BAD_ROW_COLUMNS).map(([name, type]) => `NULL::${type} AS "${name}"`)} WHERE false`
      : `FROM read_ndjson([${paths.map(quoteLiteral).join(', ')}], columns = {${types.join(', ')}})`;
  const format = target.endsWith('.parquet') ? 'parquet' : 'json';
  await duckdb.run(
    `COPY (${rows}) TO ${quoteLiteral(target)} (FORMAT ${format}, USE_TMP_FILE false)`,
  );
}

/** The first bad rows of the part. */
export async function firstBadRows(part: PartRows, rowsMax: number): Promise<BadRow[]> {
  const found = await part.duckdb.query(
    `SELECT * EXCLUDE (original) FROM (${badRowsSql(part)}) LIMIT ${rowsMax}`,
  );
  return found.map((row) => ({
    file: part.file.path,
    rowGroup: Number(row['row_group']),
    row: Number(row['row']),
    field: String(row['field']),
    column: String(row['column']),
    reason: String(row['reason']),
    value: row['value'] as string | null,
  }));
}

/** Parts are read with the same mapping as the other files of the source. */
export function storedName({ columnMap }: ParquetSource, field: string): string {
  return columnMap[field] ?? field;
}

/** The fields under the names of the source's files; `_bad`, the field without a value; `_left`. */
function rowsSql(part: PartRows): string {
  const { source, file, untilUs, untilOffsets } = part;
  const fields = file.fields.map(
    ({ field, coercion }) => `${coercion.value} AS ${quoteIdentifier(storedName(source, field))}`,
  );
  const time = file.fields.find(({ field }) => field === source.timestampField)?.coercion.value;
  const later = [
    ...(untilUs === null ? [] : [`coalesce(${time} >= make_timestamp(${untilUs}), false)`]),
    ...(untilOffsets === null ? [] : [atOrAfterSql(untilOffsets)]),
  ];
  const left = later.join(' OR ') || 'false';
  return `SELECT ${fields.join(', ')}, ${problemSql(part)} AS _bad, (${left}) AS _left ${fromSql(part)}`;
}

function atOrAfterSql({ partitionColumn, offsetColumn, offsets }: UntilOffsets): string {
  const [partition, offset] = [partitionColumn, offsetColumn].map((c) => `r.${quoteIdentifier(c)}`);
  const until = `list_extract([${offsets.join(', ')}]::BIGINT[], ${partition}::INTEGER + 1)`;
  return `coalesce(${offset}::BIGINT >= ${until}, false)`;
}

function badRowsSql(part: PartRows): string {
  const { file, groups } = part;
  const byField = (of: (column: string | null, type: string) => string): string =>
    `CASE _bad ${file.fields
      .map(({ field, column, type }) => `WHEN ${quoteLiteral(field)} THEN ${of(column, type)}`)
      .join(' ')} END`;
  const text = (column: string | null): string =>
    column === null ? 'NULL' : `CAST(r.${quoteIdentifier(column)} AS VARCHAR)`;
  const groupOfRow = groups.map(
    ({ id, firstRow, rowCount }) => `WHEN file_row_number < ${firstRow + rowCount} THEN ${id}`,
  );
  return (
    `SELECT ${quoteLiteral(file.path)} AS file, CASE ${groupOfRow.join(' ')} END AS row_group, ` +
    `file_row_number AS row, _bad AS field, ` +
    `${byField((column) => quoteLiteral(column ?? ''))} AS "column", ` +
    `'no value of type ' || ${byField((_, type) => quoteLiteral(type))} AS reason, ` +
    `${byField(text)} AS value, ${originalSql(file)} AS original ` +
    `FROM (SELECT *, file_row_number, ${problemSql(part)} AS _bad ${fromSql(part)}) r WHERE _bad IS NOT NULL`
  );
}

/** The first field of a row that has no value for it; null for a good row. */
function problemSql({ file, required }: PartRows): string {
  const problems = file.fields.flatMap(({ field, coercion: { value, isBad } }) => [
    ...(isBad === null ? [] : [`WHEN ${isBad} THEN ${quoteLiteral(field)}`]),
    ...(required.has(field) ? [`WHEN (${value}) IS NULL THEN ${quoteLiteral(field)}`] : []),
  ]);
  return `CASE ${problems.join(' ')} END`;
}

function fromSql({ file, groups }: PartRows): string {
  const [first, last] = [groups[0] as RowGroup, groups.at(-1) as RowGroup];
  const lastRow = last.firstRow + last.rowCount - 1;
  return `FROM ${foreignRows(file.path)} r WHERE file_row_number BETWEEN ${first.firstRow} AND ${lastRow}`;
}

/** JSON has no NaN and no infinity: they are text. */
function originalSql({ columns }: ForeignFile): string {
  const members = [...columns].map(([name, sqlType]) => {
    const value = `r.${quoteIdentifier(name)}`;
    const json = /^(FLOAT|DOUBLE)$/.test(sqlType)
      ? `CASE WHEN isfinite(${value}) THEN to_json(${value}) WHEN ${value} IS NOT NULL THEN to_json(CAST(${value} AS VARCHAR)) END`
      : `to_json(${value})`;
    return `${quoteLiteral(name)}, ${json}`;
  });
  return `json_object(${members.join(', ')})`;
}
