import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { didYouMean } from '../core/nearest.ts';
import { type Catalog, definitionRecord, viewFingerprint } from '../definition/index.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import {
  type HistoricalReader,
  type KnownAtFiles,
  type KnownAtOffsets,
  type NamedHistoricalRequest,
  PARQUET_COPY,
  writeWhole,
} from '../join/index.ts';
import { nodeFileSystem } from '../segment/index.ts';
import type { Resources } from './resources.ts';

/** What a saved dataset was made of: enough to make it again, to the same bytes. */
export interface DatasetReceipt {
  readonly version: 1;
  readonly name: string;
  readonly createdAt: string;
  /** Without its labels: they are columns of the dataset. */
  readonly request: DatasetRequest;
  readonly labelColumns: readonly string[];
  /** By topic, the offsets below which rows were seen: the snapshot of history. */
  readonly known: KnownAtOffsets;
  /** By Parquet source, the files whose rows were seen. */
  readonly knownFiles: KnownAtFiles;
  /** Of the views that were read. */
  readonly fingerprints: Readonly<Record<string, string>>;
  readonly rowCount: number;
  /** Of the Parquet file. */
  readonly sha256: string;
}

export type DatasetRequest = Pick<
  NamedHistoricalRequest,
  'features' | 'service' | 'fullFeatureNames' | 'strictlyBefore' | 'knownAt' | 'late'
>;

/** What a dataset is worth today. */
export interface DatasetVerification {
  readonly name: string;
  /** Views whose definition is another now; then nothing can be compared. */
  readonly changedViews: readonly string[];
  /** Whether the same snapshot of history gave the same bytes; null when it could not be asked. */
  readonly reproduced: boolean | null;
  /** Rows that history as it is now would give other values; null when it could not be asked. */
  readonly staleRows: number | null;
  /** How many rows of each feature, for those that have any. */
  readonly staleFeatures: Readonly<Record<string, number>>;
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const DATA = 'data.parquet';
const RECEIPT = 'receipt.json';

/** Training data that is kept with the receipt of how it was made, in a folder of its own each. */
export class SavedDatasets {
  readonly #resources: Resources;
  readonly #catalog: Catalog;
  readonly #openReader: () => Promise<HistoricalReader>;

  constructor(resources: Resources, catalog: Catalog, openReader: () => Promise<HistoricalReader>) {
    this.#resources = resources;
    this.#catalog = catalog;
    this.#openReader = openReader;
  }

  /**
   * Joins, and keeps the answer under a name; nothing is there when it fails half-way.
   * @throws FreshetError INVALID_ARGUMENT for a name that is taken or impossible, and as
   * `getHistoricalFeatures` says
   */
  async save(name: string, request: NamedHistoricalRequest): Promise<DatasetReceipt> {
    if (!NAME.test(name)) {
      throw new FreshetError('INVALID_ARGUMENT', `"${name}" cannot be the name of a dataset`, {
        next: 'Write a letter, then letters, digits, _ and -.',
      });
    }
    if ((await this.#names()).includes(name)) {
      throw new FreshetError('INVALID_ARGUMENT', `there is a dataset "${name}" already`, {
        next: 'Choose another name, or remove it with `freshet dataset remove`.',
      });
    }
    const folder = join(this.#folder, name);
    const temporary = join(this.#folder, `.${name}.tmp`);
    await mkdir(temporary, { recursive: true });
    try {
      await using answer = await (await this.#openReader()).getHistoricalFeatures(request);
      const data = join(temporary, DATA);
      await answer.toParquet(data);
      const { metadata } = answer;
      const { features, service, fullFeatureNames, strictlyBefore, knownAt, late } = request;
      const asked = { features, service, fullFeatureNames, strictlyBefore, knownAt, late };
      const receipt: DatasetReceipt = {
        version: 1,
        name,
        createdAt: new Date(this.#resources.clock.nowMs()).toISOString(),
        request: JSON.parse(JSON.stringify(asked)),
        labelColumns: metadata.columns.filter(({ from }) => from === 'entity').map((c) => c.name),
        known: metadata.known,
        knownFiles: metadata.knownFiles,
        fingerprints: metadata.fingerprints,
        rowCount: metadata.rowCount,
        sha256: await sha256Of(data),
      };
      await writeReceipt(temporary, receipt);
      await rename(temporary, folder);
      return receipt;
    } catch (thrown) {
      await rm(temporary, { recursive: true, force: true });
      throw thrown;
    }
  }

  /** By name. */
  async list(): Promise<DatasetReceipt[]> {
    return Promise.all((await this.#names()).map((name) => this.receipt(name)));
  }

  /** @throws FreshetError DATASET_NOT_FOUND */
  async receipt(name: string): Promise<DatasetReceipt> {
    const names = await this.#names();
    if (!names.includes(name)) {
      throw new FreshetError(
        'DATASET_NOT_FOUND',
        `there is no dataset "${name}". ${didYouMean(name, names)}`,
      );
    }
    return JSON.parse(await readFile(join(this.#folder, name, RECEIPT), 'utf8'));
  }

  /** The Parquet file of a dataset. */
  path(name: string): string {
    return join(this.#folder, name, DATA);
  }

  /** @throws FreshetError DATASET_NOT_FOUND */
  async remove(name: string): Promise<void> {
    await this.receipt(name);
    await rm(join(this.#folder, name), { recursive: true });
  }

  /**
   * Takes the rows out that a condition is true of, and answers with their number; the receipt is
   * that of the rows that are left. With `dryRun` they are only counted. @throws FreshetError
   * DATASET_NOT_FOUND, DISK_FULL, DISK_FAILED
   */
  async eraseRows(
    name: string,
    matchSql: string,
    { dryRun = false }: { readonly dryRun?: boolean } = {},
  ): Promise<number> {
    const receipt = await this.receipt(name);
    await using duckdb = await (await this.#resources.duckdb()).connect();
    const rows = `read_parquet(${quoteLiteral(this.path(name))})`;
    const [counted] = await duckdb.query(
      `SELECT count(*)::DOUBLE AS n FROM ${rows} WHERE ${matchSql}`,
    );
    const found = Number(counted?.['n']);
    if (found === 0 || dryRun) return found;
    // Sorted as a join sorts them: row groups are cut where it cuts them, for the same bytes.
    const kept =
      `SELECT * EXCLUDE (file_row_number) FROM read_parquet(${quoteLiteral(this.path(name))}, ` +
      `file_row_number = true) WHERE (${matchSql}) IS NOT TRUE ORDER BY file_row_number`;
    await writeWhole(nodeFileSystem, this.path(name), async (temporary) => {
      await duckdb.run(`COPY (${kept}) TO ${quoteLiteral(temporary)} (${PARQUET_COPY})`);
      // Before the rows: with the receipt alone, erasing again finds the rows and writes both.
      await writeReceipt(join(this.#folder, name), {
        ...receipt,
        ...{ rowCount: receipt.rowCount - found, sha256: await sha256Of(temporary) },
      });
    });
    return found;
  }

  /** What killed processes have left. */
  async removeUnfinished(): Promise<void> {
    const found = await readdir(this.#folder).catch(() => []);
    for (const name of found.filter((each) => each.startsWith('.'))) {
      await rm(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  /**
   * Makes a dataset again from the snapshot of its receipt, and from history as it is now: the first
   * shows whether it can be reproduced, the second whether rows that came later would change it.
   * @throws FreshetError DATASET_NOT_FOUND
   */
  async verify(name: string): Promise<DatasetVerification> {
    const receipt = await this.receipt(name);
    const changedViews = Object.entries(receipt.fingerprints)
      .filter(([view, fingerprint]) => this.#fingerprintOf(view) !== fingerprint)
      .map(([view]) => view);
    if (changedViews.length > 0) {
      return { name, changedViews, reproduced: null, staleRows: null, staleFeatures: {} };
    }
    const again = join(this.#folder, `.${name}.verify.parquet`);
    try {
      await this.#make(receipt, again, { isAsKnown: true });
      const reproduced = (await sha256Of(again)) === receipt.sha256;
      await this.#make(receipt, again, { isAsKnown: false });
      const { staleRows, staleFeatures } = await this.#compare(receipt, again);
      return { name, changedViews, reproduced, staleRows, staleFeatures };
    } finally {
      await rm(again, { force: true });
    }
  }

  async #make(
    { name, request, labelColumns, known, knownFiles }: DatasetReceipt,
    file: string,
    { isAsKnown }: { readonly isAsKnown: boolean },
  ): Promise<void> {
    const columns = labelColumns.map(quoteIdentifier).join(', ');
    const sql = `SELECT ${columns} FROM read_parquet(${quoteLiteral(this.path(name))})`;
    const reader = await this.#openReader();
    await using answer = await reader.getHistoricalFeatures({
      ...request,
      entityRows: { sql },
      ...(isAsKnown && { knownAtOffsets: known, knownAtFiles: knownFiles }),
    } as NamedHistoricalRequest);
    await answer.toParquet(file);
  }

  async #compare(
    { name, labelColumns }: DatasetReceipt,
    again: string,
  ): Promise<Pick<DatasetVerification, 'staleRows' | 'staleFeatures'>> {
    const duckdb = await this.#resources.duckdb();
    const rows = (file: string): string =>
      `read_parquet(${quoteLiteral(file)}, file_row_number = true)`;
    const described = await duckdb.query(
      `SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet(${quoteLiteral(again)}))`,
    );
    const features = described
      .map((row) => String(row['column_name']))
      .filter((column) => !labelColumns.includes(column));
    const differs = features.map((feature) => {
      const column = quoteIdentifier(feature);
      return `a.${column} IS DISTINCT FROM b.${column}`;
    });
    const counts = differs.map((condition, i) => `count(*) FILTER (${condition})::DOUBLE AS f${i}`);
    const any = differs.length === 0 ? 'false' : differs.join(' OR ');
    const [row] = await duckdb.query(
      `SELECT count(*) FILTER (${any})::DOUBLE AS n, ${counts.join(', ') || '0 AS f'} ` +
        `FROM ${rows(this.path(name))} a JOIN ${rows(again)} b USING (file_row_number)`,
    );
    const stale = features.map((feature, i) => [feature, Number(row?.[`f${i}`])] as const);
    return {
      staleRows: Number(row?.['n']),
      staleFeatures: Object.fromEntries(stale.filter(([, count]) => count > 0)),
    };
  }

  #fingerprintOf(name: string): string | null {
    const view = this.#catalog.views.get(name);
    if (view !== undefined) return viewFingerprint(view);
    const onDemand = this.#catalog.onDemandViews.get(name);
    return onDemand === undefined ? null : definitionRecord(onDemand).fingerprint;
  }

  get #folder(): string {
    return join(this.#resources.config.offlineStore.path, '..', 'datasets');
  }

  async #names(): Promise<string[]> {
    const found = await readdir(this.#folder).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return [];
      throw thrown;
    });
    return found.filter((name) => !name.startsWith('.')).sort();
  }
}

/** In the folder of a dataset; there whole or as it was. */
async function writeReceipt(folder: string, receipt: DatasetReceipt): Promise<void> {
  const text = `${JSON.stringify(receipt, null, 2)}\n`;
  await writeWhole(nodeFileSystem, join(folder, RECEIPT), (file) => writeFile(file, text));
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
