/**
 * Rows of one entity, taken out of what backfills have made of foreign files: out of their parts, each
 * written anew in its place, and out of the bad rows that they set aside. Foreign files themselves are
 * read, and never written.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { keyCoercerOf, toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import type { ParquetSource } from '../definition/index.ts';
import {
  type DuckdbConnection,
  fieldLiteral,
  fieldTypeToSql,
  quoteIdentifier,
  quoteLiteral,
} from '../duckdb/index.ts';
import { toFreshetError } from '../errors.ts';
import type { PartMarks } from './empty-parts.ts';
import { fileMark } from './file-mark.ts';
import { badFileName, type ImportedPart, listParts, parsePartName } from './imported-parts.ts';
import { storedName, writePartFile } from './write-part.ts';

export interface EraseRowsOptions {
  readonly duckdb: DuckdbConnection;
  readonly source: ParquetSource;
  /** Where the parts are. */
  readonly folders: readonly string[];
  readonly badFolder: string;
  /** A value of each join key of the entity. */
  readonly keyValues: Readonly<Record<string, FieldValue>>;
  /** Only counts. Default false. */
  readonly dryRun?: boolean;
}

export interface ErasedRows {
  readonly rows: number;
  /** Parts that had such rows. */
  readonly files: number;
  readonly badRows: number;
  /** The foreign files that the rows came from, which have them still. */
  readonly madeOf: readonly string[];
  /** All parts that were looked at, by path. */
  readonly parts: readonly string[];
  readonly marks: PartMarks;
}

/** @throws FreshetError DISK_FULL, DISK_FAILED; erasing again removes the rest */
export async function eraseRows(options: EraseRowsOptions): Promise<ErasedRows> {
  const { duckdb, folders, dryRun = false } = options;
  const parts: ImportedPart[] = [];
  for (const folder of folders) {
    if (!dryRun) await removeUnfinished(folder);
    parts.push(...(await listParts(duckdb, folder)));
  }
  const marks = new Map<string, { before: string; after: string }>();
  const madeOf = new Set<string>();
  let [rows, files] = [0, 0];
  for (const part of parts) {
    const found = await countIn(options, part);
    if (found === 0) continue;
    rows += found;
    files++;
    madeOf.add(part.note.file);
    if (dryRun) continue;
    const before = await fileMark(part.path);
    await rewritePart(options, part, found);
    marks.set(part.path, { before, after: await fileMark(part.path) });
  }
  const badRows = await eraseBadRows(options, parts);
  const paths = parts.map(({ path }) => path);
  return { rows, files, badRows, madeOf: [...madeOf].sort(), parts: paths, marks };
}

/** What a killed process has left of a part. */
async function removeUnfinished(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const unfinished = names.filter((name) => parsePartName(name.replace(/\.tmp$/, '')));
  for (const name of unfinished.filter((each) => each.endsWith('.tmp'))) {
    await rm(join(folder, name), { force: true });
  }
}

async function countIn(options: EraseRowsOptions, { path }: ImportedPart): Promise<number> {
  const [row] = await options.duckdb.query(
    `SELECT count(*)::DOUBLE AS n FROM read_parquet(${quoteLiteral(path)}) WHERE ${matchSql(options)}`,
  );
  return Number(row?.['n']);
}

/** All other rows, in their order; a part without rows stays, so that its file is known. */
async function rewritePart(
  options: EraseRowsOptions,
  { path, note }: ImportedPart,
  found: number,
): Promise<void> {
  const { duckdb, source } = options;
  const kept = `SELECT * FROM read_parquet(${quoteLiteral(path)}) WHERE (${matchSql(options)}) IS NOT TRUE`;
  const time = quoteIdentifier(storedName(source, source.timestampField));
  const [row] = await duckdb.query(
    `SELECT epoch_us(min(${time}))::DOUBLE AS min, epoch_us(max(${time}))::DOUBLE AS max FROM (${kept})`,
  );
  const rowsLoaded = note.rowsLoaded - found;
  const times = { minUs: row?.['min'] as number | null, maxUs: row?.['max'] as number | null };
  await writePartFile(duckdb, kept, path, { ...note, rowsLoaded, ...times });
}

function matchSql({ source, keyValues }: EraseRowsOptions): string {
  return Object.entries(keyValues)
    .map(([key, value]) => {
      const type = source.schema[key] as FieldType;
      const literal = `CAST(${fieldLiteral(type, value)} AS ${fieldTypeToSql(type)})`;
      return `${quoteIdentifier(storedName(source, key))} = ${literal}`;
    })
    .join(' AND ');
}

async function eraseBadRows(
  options: EraseRowsOptions,
  parts: readonly ImportedPart[],
): Promise<number> {
  const { badFolder, dryRun = false } = options;
  const byBadName = new Map(parts.map((part) => [badFileName(basename(part.path)), part]));
  let erased = 0;
  for (const name of await badFiles(badFolder)) {
    const path = join(badFolder, name);
    const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
    const kept = lines.filter((line) => !isOfEntity(options, line, byBadName.get(name)));
    erased += lines.length - kept.length;
    if (!dryRun && kept.length < lines.length) await replaceLines(path, kept);
  }
  return erased;
}

async function badFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => parsePartName(name.replace(/\.ndjson$/, '.parquet'))).sort();
}

/**
 * Where the column of a key is not known, as in an import that was refused and has no part, any
 * column with its value will do: better a bad row too many than one that stays.
 */
function isOfEntity(
  { source, keyValues }: EraseRowsOptions,
  line: string,
  part: ImportedPart | undefined,
): boolean {
  const { original } = JSON.parse(line) as { original: Readonly<Record<string, unknown>> };
  return Object.entries(keyValues).every(([key, value]) => {
    const type = source.schema[key] as FieldType;
    const column = part?.note.columns?.[key];
    const candidates = column === undefined ? Object.values(original) : [original[column]];
    return candidates.some((candidate) => isSame(type, value, candidate, line));
  });
}

function isSame(type: FieldType, value: FieldValue, candidate: unknown, line: string): boolean {
  const wanted = toJsonValue(type, value);
  // JSON.parse has rounded what is beyond the safe integers: the text has not.
  if (type === 'int64' && typeof wanted === 'string') return line.includes(wanted);
  if (String(candidate) === String(wanted)) return true;
  try {
    return toJsonValue(type, keyCoercerOf(type)(candidate)) === wanted;
  } catch {
    return false; // what the type cannot hold is no value of the key
  }
}

async function replaceLines(path: string, lines: readonly string[]): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await writeFile(temporary, lines.map((line) => `${line}\n`).join(''));
    await rename(temporary, path);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw toFreshetError(thrown, 'DISK_FAILED', { file: path });
  }
}
