/**
 * Segments of one source as a SQL relation, whatever schema each was written with: a column that
 * an older file lacks is null there, a column whose type has changed is cast to the declared type.
 */
import type { FieldType } from '../core/field-type.ts';
import { didYouMean } from '../core/nearest.ts';
import type { TopicSource } from '../definition/index.ts';
import { fieldTypeToSql, quoteIdentifier, quoteLiteral } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import type { FilePaths } from './file-store.ts';
import type { SegmentColumn, SegmentEntry } from './segment-entry.ts';
import { fieldColumns, SYSTEM_COLUMNS } from './segment-layout.ts';

/**
 * SQL text of a query (put it in parentheses) with the given columns, fields of the source and
 * system columns alike. Default: all of them. Pure; `files` are those of the store.
 * @throws FreshetError COLUMN_MISSING for a name that is neither
 */
export function segmentRelation(
  files: FilePaths,
  entries: readonly SegmentEntry[],
  source: TopicSource,
  columns: readonly string[] = [...fieldColumns(source), ...SYSTEM_COLUMNS].map(({ name }) => name),
): string {
  const wanted = columns.map((name): Wanted => ({ name, type: declaredType(source, name) }));
  const groups = groupByFingerprint(entries.filter((entry) => entry.file !== null));
  if (groups.length === 0) return emptyRelation(wanted);
  return groups.map((group) => groupRelation(files, group, wanted)).join(' UNION ALL ');
}

/** Rows of files that all have these columns, as they are stored. */
export function filesRelation(
  files: FilePaths,
  entries: readonly SegmentEntry[],
  columns: readonly SegmentColumn[],
): string {
  const names = columns.map(({ name }) => quoteIdentifier(name));
  return `SELECT ${names.join(', ')} FROM ${readParquet(files, entries)}`;
}

interface Wanted {
  readonly name: string;
  readonly type: FieldType;
}

function declaredType(source: TopicSource, name: string): FieldType {
  const known = [...fieldColumns(source), ...SYSTEM_COLUMNS];
  const column = known.find((candidate) => candidate.name === name);
  if (column !== undefined) return column.type;
  const names = known.map((candidate) => candidate.name);
  throw new FreshetError(
    'COLUMN_MISSING',
    `source "${source.name}" has no column "${name}". ${didYouMean(name, names)}`,
    { where: { source: source.name, column: name } },
  );
}

function groupByFingerprint(entries: readonly SegmentEntry[]): SegmentEntry[][] {
  const groups = new Map<string, SegmentEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.fingerprint);
    if (group === undefined) groups.set(entry.fingerprint, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

function emptyRelation(wanted: readonly Wanted[]): string {
  const nulls = wanted.map(nullColumn);
  return `SELECT ${nulls.join(', ')} WHERE FALSE`;
}

/** Files of one fingerprint have the same columns: only one footer is read to learn them. */
function groupRelation(
  files: FilePaths,
  group: readonly SegmentEntry[],
  wanted: readonly Wanted[],
): string {
  const present = new Map(
    [...(group[0] as SegmentEntry).columns, ...SYSTEM_COLUMNS].map(({ name, type }) => [
      name,
      type,
    ]),
  );
  const projections = wanted.map((column) => {
    const type = present.get(column.name);
    if (type === undefined) return nullColumn(column);
    const name = quoteIdentifier(column.name);
    return type === column.type
      ? name
      : `CAST(${name} AS ${fieldTypeToSql(column.type)}) AS ${name}`;
  });
  return `SELECT ${projections.join(', ')} FROM ${readParquet(files, group)}`;
}

function readParquet(files: FilePaths, entries: readonly SegmentEntry[]): string {
  const paths = entries.flatMap(({ file }) =>
    file === null ? [] : quoteLiteral(files.pathOf(file)),
  );
  return `read_parquet([${paths.join(', ')}])`;
}

function nullColumn({ name, type }: Wanted): string {
  return `CAST(NULL AS ${fieldTypeToSql(type)}) AS ${quoteIdentifier(name)}`;
}
