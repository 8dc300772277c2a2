/**
 * What a backfill has added to the folder of a source: parts, each some whole row groups of one
 * foreign file. A part is there, whole, or not; there is no other list of what is loaded.
 *
 * ```
 * part   := import-<number>-<identity>-<first row group>-<last row group>.parquet
 * footer := freshet.import = JSON { version (1), recipe, file, rowsLoaded, rowsBad, rowsLeft, minUs, maxUs, columns [, offsetEnds] }
 *   number    6 digits, the same for all parts of a file: files are in the order of their first load
 *   identity  16 hex digits, of the bytes of the file and of its hive columns
 *   recipe    of columns, types and bounds: a part of another recipe is made again
 *   columns   of the foreign file, by the fields that no row may lack: where bad rows have their keys
 * ```
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckdbConnection, quoteLiteral } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';

export interface PartName {
  readonly number: number;
  readonly identity: string;
  readonly firstGroup: number;
  readonly lastGroup: number;
}

/** What the footer of a part says. Times in microseconds. */
export interface PartNote {
  readonly recipe: string;
  /** The foreign file, as it was named. */
  readonly file: string;
  readonly rowsLoaded: number;
  readonly rowsBad: number;
  /** Rows at or after the handover. */
  readonly rowsLeft: number;
  readonly minUs: number | null;
  readonly maxUs: number | null;
  /** Column of the foreign file by field, of the fields that no row may lack; not of older parts. */
  readonly columns?: Readonly<Record<string, string>>;
  /** By partition, the offset behind the last row below the handover; of files that say offsets. */
  readonly offsetEnds?: readonly number[];
}

export interface ImportedPart extends PartName {
  readonly path: string;
  readonly note: PartNote;
}

export const PART_KEY = 'freshet.import';
const VERSION = 1;

/** The parts of a folder in the order of their names. @throws FreshetError PARQUET_INVALID */
export async function listParts(
  duckdb: DuckdbConnection,
  folder: string,
): Promise<readonly ImportedPart[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => parsePartName(name));
  if (names.length === 0) return [];
  const paths = names.sort().map((name) => quoteLiteral(join(folder, name)));
  const notes = await duckdb.query(
    `SELECT file_name AS path, decode(value) AS note FROM parquet_kv_metadata([${paths.join(', ')}]) ` +
      `WHERE decode(key) = ${quoteLiteral(PART_KEY)}`,
  );
  const byPath = new Map(notes.map(({ path, note }) => [path as string, note as string]));
  return names.map((name) => {
    const path = join(folder, name);
    const note = decodeNote(path, byPath.get(path));
    return { ...(parsePartName(name) as PartName), path, note };
  });
}

export function partFileName({ number, identity, firstGroup, lastGroup }: PartName): string {
  const digits = String(number).padStart(6, '0');
  return `import-${digits}-${identity}-${firstGroup}-${lastGroup}.parquet`;
}

/** The file of the bad rows that a part has left out. */
export function badFileName(part: string): string {
  return part.replace(/\.parquet$/, '.ndjson');
}

export function encodeNote(note: PartNote): string {
  return JSON.stringify({ version: VERSION, ...note });
}

/** Null for the name of a file that no backfill made. */
export function parsePartName(name: string): PartName | null {
  const match = /^import-(\d{6,})-([0-9a-f]{16})-(\d+)-(\d+)\.parquet$/.exec(name);
  if (match === null) return null;
  const [, number, identity, firstGroup, lastGroup] = match;
  return {
    number: Number(number),
    identity: identity as string,
    firstGroup: Number(firstGroup),
    lastGroup: Number(lastGroup),
  };
}

function decodeNote(path: string, text: string | undefined): PartNote {
  const { version, ...note } = JSON.parse(text ?? '{}') as PartNote & { version?: number };
  if (version === VERSION) return note;
  throw new FreshetError('PARQUET_INVALID', `${path} is named as a backfill names its files`, {
    where: { file: path },
    next: 'Give the file another name: a backfill would take it for its own.',
  });
}
