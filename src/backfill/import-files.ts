/**
 * Parquet files of foreign origin into batch history: the rows that its source can hold, under its
 * names and types, in files of its folder (`imported-parts.ts`). A part is all or nothing, so that an
 * interrupted import goes on behind its last one, and a file that is imported again, from wherever,
 * adds nothing. Rows that the source cannot hold are set aside with their place and reason.
 */
import { createHash } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { didYouMean } from '../core/nearest.ts';
import { quoteLiteral } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { inSpan } from '../telemetry/index.ts';
import {
  type ForeignFile,
  type ForeignFileOptions,
  openForeignFile,
  type RowGroup,
} from './foreign-file.ts';
import {
  badFileName,
  type ImportedPart,
  listParts,
  type PartNote,
  partFileName,
} from './imported-parts.ts';
import {
  type BadRow,
  firstBadRows,
  measurePart,
  type PartCounts,
  type PartRows,
  storedName,
  type UntilOffsets,
  writeBadRows,
  writePart,
} from './write-part.ts';

export interface ImportOptions extends ForeignFileOptions {
  /** What paths are relative to. */
  readonly baseDirectory: string;
  /** Files, globs and folders. */
  readonly files: readonly string[];
  /** Takes the parts. */
  readonly targetFolder: string;
  /** A folder of parts whose files are known, too: nothing of them is imported. Default: none. */
  readonly knownFolder?: string;
  /** A folder of parts that are not needed any more when their files are imported. Default: none. */
  readonly replacedFolder?: string;
  /** Takes the rows that are set aside, as NDJSON. */
  readonly badFolder: string;
  /** Rows at or after this event time are left to the topic. */
  readonly untilUs?: number;
  /** Rows at or after these offsets are left to the topic. */
  readonly untilOffsets?: UntilOffsets;
  /** More bad rows than these end the import. Default: any number is set aside. */
  readonly badRowsMax?: number;
  /**
   * A file whose rows were loaded under the same name and which has other bytes now: `refuse`, the
   * default; `add` its rows to those; or `replace` those by them.
   */
  readonly changed?: 'refuse' | 'add' | 'replace';
  /** Counts and checks, and writes nothing. Default false. */
  readonly dryRun?: boolean;
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
  /** Rows that were not there before. */
  readonly rowsLoaded: number;
  /** Of all files, also of those that are known. */
  readonly rowsBad: number;
  /** The first ten. */
  readonly badRows: readonly BadRow[];
  /** Of all bad rows, with file, row group, row, column and the row as it was. */
  readonly badFiles: readonly string[];
  /** Rows at or after `untilUs`, of all files. */
  readonly rowsLeft: number;
  /** Parts that were made in another way before, or of a file that has changed. */
  readonly partsReplaced: number;
  /** Event times of what is loaded, also before; null without rows. */
  readonly minUs: number | null;
  readonly maxUs: number | null;
}

const PART_ROWS = 500_000;
const BAD_ROWS_TOLD = 10;

/**
 * @throws FreshetError PARQUET_INVALID, COLUMN_MISSING, BACKFILL_REJECTED, BACKFILL_FILE_CHANGED,
 * INVALID_ARGUMENT, DISK_FULL, DISK_FAILED
 */
export async function importFiles(options: ImportOptions): Promise<ImportResult> {
  const { duckdb, targetFolder, knownFolder, replacedFolder } = options;
  const files: ForeignFile[] = [];
  for (const path of await expand(options)) files.push(await openForeignFile(options, path));
  const partsIn = async (folder: string | undefined): Promise<readonly ImportedPart[]> =>
    folder === undefined ? [] : listParts(duckdb, folder);
  const run = new Import(options, files, {
    before: await partsIn(targetFolder),
    known: await partsIn(knownFolder),
    replaced: await partsIn(replacedFolder),
  });
  return run.execute();
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

/** In the folder of the import, and in the two others. */
interface PartsThere {
  readonly before: readonly ImportedPart[];
  readonly known: readonly ImportedPart[];
  readonly replaced: readonly ImportedPart[];
}

class Import {
  readonly #options: ImportOptions;
  readonly #files: readonly ForeignFile[];
  readonly #before: readonly ImportedPart[];
  readonly #known: readonly ImportedPart[];
  readonly #replaced: readonly ImportedPart[];
  /** By identity: the number in the names of a file's parts. */
  readonly #numbers: Map<string, number>;
  readonly #badRows: BadRow[] = [];
  readonly #badFiles: string[] = [];
  readonly #sums = { filesKnown: 0, rowsRead: 0, rowsLoaded: 0, rowsBad: 0, rowsLeft: 0 };
  #partsReplaced = 0;
  #minUs = Number.POSITIVE_INFINITY;
  #maxUs = Number.NEGATIVE_INFINITY;

  constructor(options: ImportOptions, files: readonly ForeignFile[], parts: PartsThere) {
    const { before, known, replaced } = parts;
    this.#options = options;
    this.#files = files;
    this.#before = before;
    this.#known = known;
    this.#replaced = replaced;
    this.#numbers = new Map(before.map(({ identity, number }) => [identity, number]));
  }

  async execute(): Promise<ImportResult> {
    const { onProgress, changed = 'refuse', dryRun = false, targetFolder } = this.#options;
    for (const file of this.#files) if (changed === 'refuse') this.#requireUnchanged(file);
    if (!dryRun) await mkdir(targetFolder, { recursive: true });
    const rowsTotal = this.#files.reduce((sum, { rowCount }) => sum + rowCount, 0);
    // Of two files with the same rows, the second adds nothing.
    const distinct = new Map(this.#files.toReversed().map((file) => [file.identity, file]));
    for (const file of this.#files) {
      if (distinct.get(file.identity) !== file) {
        this.#sums.filesKnown++;
        this.#sums.rowsRead += file.rowCount;
        continue;
      }
      await this.#importFile(file, () => {
        onProgress?.({ file: file.path, rowsDone: this.#sums.rowsRead, rowsTotal });
      });
    }
    const hasTimes = this.#minUs <= this.#maxUs;
    return {
      files: this.#files.length,
      ...this.#sums,
      badRows: this.#badRows,
      badFiles: this.#badFiles,
      partsReplaced: this.#partsReplaced,
      minUs: hasTimes ? this.#minUs : null,
      maxUs: hasTimes ? this.#maxUs : null,
    };
  }

  async #importFile(file: ForeignFile, onPart: () => void): Promise<void> {
    const known = this.#known.filter(({ identity }) => identity === file.identity);
    if (known.length > 0) {
      for (const { note } of known) this.#add({ ...note, rowsLoaded: 0 });
      this.#sums.filesKnown++;
      this.#sums.rowsRead += file.rowCount;
      onPart();
      return;
    }
    const { partRows = PART_ROWS, changed, dryRun = false } = this.#options;
    const recipe = this.#recipeOf(file);
    const kept = new Set<string>();
    let isKnown = true;
    for (const groups of packed(file.groups, partRows)) {
      const name = this.#nameOf(file, groups);
      const path = join(this.#options.targetFolder, name);
      const before = this.#before.find((part) => part.path === path);
      const rows = this.#rowsOf(file, groups);
      kept.add(path);
      if (before?.note.recipe === recipe) await this.#addKnown(rows, name, before.note);
      else {
        isKnown = false;
        if (before !== undefined) this.#partsReplaced++;
        await this.#importPart(rows, name, path, recipe);
      }
      this.#sums.rowsRead += groups.reduce((sum, { rowCount }) => sum + rowCount, 0);
      onPart();
    }
    if (isKnown) this.#sums.filesKnown++;
    const old = this.#before.filter(
      ({ path, identity, note }) =>
        (identity === file.identity && !kept.has(path)) ||
        (changed === 'replace' && identity !== file.identity && note.file === file.path),
    );
    this.#partsReplaced += old.length;
    const replaced = this.#replaced.filter(({ identity }) => identity === file.identity);
    for (const { path } of dryRun ? [] : [...old, ...replaced]) await rm(path, { force: true });
  }

  async #addKnown(rows: PartRows, name: string, note: PartNote): Promise<void> {
    this.#add({ ...note, rowsLoaded: 0 });
    if (note.rowsBad === 0) return;
    await this.#tellBad(rows);
    this.#badFiles.push(join(this.#options.badFolder, badFileName(name)));
    this.#requireFewBad();
  }

  async #importPart(rows: PartRows, name: string, path: string, recipe: string): Promise<void> {
    await inSpan(
      () => ({ name: 'backfill.part', attributes: { source: rows.source.name, part: name } }),
      () => this.#writePart(rows, name, path, recipe),
      ({ rowsLoaded, rowsBad, rowsLeft }) => ({ rowsLoaded, rowsBad, rowsLeft }),
    );
  }

  async #writePart(
    rows: PartRows,
    name: string,
    path: string,
    recipe: string,
  ): Promise<PartCounts> {
    const { dryRun = false, badFolder } = this.#options;
    const counts = await measurePart(rows);
    this.#add(counts);
    const badName = badFileName(name);
    if (counts.rowsBad > 0) {
      await this.#tellBad(rows);
      if (!dryRun) this.#badFiles.push(await writeBadRows(rows, badFolder, badName));
      this.#requireFewBad();
    } else if (!dryRun) await rm(join(badFolder, badName), { force: true });
    const columns = requiredColumns(rows);
    if (!dryRun) await writePart(rows, path, { recipe, file: rows.file.path, ...counts, columns });
    return counts;
  }

  #add({ rowsLoaded, rowsBad, rowsLeft, minUs, maxUs }: PartCounts): void {
    this.#sums.rowsLoaded += rowsLoaded;
    this.#sums.rowsBad += rowsBad;
    this.#sums.rowsLeft += rowsLeft;
    if (minUs !== null) this.#minUs = Math.min(this.#minUs, minUs);
    if (maxUs !== null) this.#maxUs = Math.max(this.#maxUs, maxUs);
  }

  async #tellBad(rows: PartRows): Promise<void> {
    const missing = BAD_ROWS_TOLD - this.#badRows.length;
    if (missing > 0) this.#badRows.push(...(await firstBadRows(rows, missing)));
  }

  #requireFewBad(): void {
    const { badRowsMax = Number.POSITIVE_INFINITY } = this.#options;
    const { rowsBad } = this.#sums;
    const [first] = this.#badRows;
    if (rowsBad <= badRowsMax || first === undefined) return;
    const { file, rowGroup, row, column, reason, value } = first;
    const at = this.#badFiles.at(-1);
    throw new FreshetError(
      'BACKFILL_REJECTED',
      `${rowsBad} rows cannot be held, and ${badRowsMax} may be; the first is row ${row} of row ` +
        `group ${rowGroup}: ${reason} in column "${column}", but ${value === null ? 'null' : JSON.stringify(value)}` +
        (at === undefined ? '' : `; all are in ${at}`),
      { where: { file, row, column } },
    );
  }

  /** @throws FreshetError BACKFILL_FILE_CHANGED */
  #requireUnchanged({ path, identity }: ForeignFile): void {
    const before = this.#before.filter(({ note }) => note.file === path);
    if (before.length === 0 || before.some((part) => part.identity === identity)) return;
    throw new FreshetError(
      'BACKFILL_FILE_CHANGED',
      `${path} was loaded before, and has other bytes now`,
      { where: { file: path } },
    );
  }

  #rowsOf(file: ForeignFile, groups: readonly RowGroup[]): PartRows {
    const { duckdb, source, requiredFields, untilUs = null } = this.#options;
    const { untilOffsets = null } = this.#options;
    if (untilOffsets !== null) requireOffsets(file, untilOffsets);
    const required = new Set([source.timestampField, ...requiredFields]);
    return { duckdb, source, file, groups, required, untilUs, untilOffsets };
  }

  #nameOf({ identity }: ForeignFile, groups: readonly RowGroup[]): string {
    const number = this.#numbers.get(identity) ?? Math.max(0, ...this.#numbers.values()) + 1;
    this.#numbers.set(identity, number);
    const [first, last] = [groups[0] as RowGroup, groups.at(-1) as RowGroup];
    return partFileName({ number, identity, firstGroup: first.id, lastGroup: last.id });
  }

  /** Equal for imports that make the same rows of a file. */
  #recipeOf({ fields, columns }: ForeignFile): string {
    const { source, requiredFields, untilUs = null, untilOffsets } = this.#options;
    const made = fields.map(({ field, type, column }) => [
      storedName(source, field),
      type,
      column,
      columns.get(column ?? ''),
    ]);
    const until = untilOffsets === undefined ? [untilUs] : [untilUs, untilOffsets];
    const text = JSON.stringify([made, [...requiredFields].sort(), ...until]);
    return createHash('sha256').update(text).digest('hex');
  }
}

/** @throws FreshetError COLUMN_MISSING */
function requireOffsets({ path, columns }: ForeignFile, until: UntilOffsets): void {
  const missing = [until.partitionColumn, until.offsetColumn].find((name) => !columns.has(name));
  if (missing === undefined) return;
  const what = `${path} has no column "${missing}", which is to say the places of rows in the topic. ${didYouMean(missing, columns.keys())}`;
  throw new FreshetError('COLUMN_MISSING', what, { where: { file: path, column: missing } });
}

function requiredColumns({ file, required }: PartRows): Record<string, string> {
  const columns = file.fields.flatMap(({ field, column }) =>
    column === null || !required.has(field) ? [] : [[field, column]],
  );
  return Object.fromEntries(columns);
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
