/** What the tests of the backfill share: a folder of Parquet files, a store, and runs over both. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BackfillResult,
  type MaterializationInterval,
  materializeView,
} from '../../src/backfill/index.ts';
import type { MaterializeViewOptions } from '../../src/backfill/materialize-view.ts';
import {
  entity,
  type FeatureView,
  featureView,
  parquetSource,
} from '../../src/definition/index.ts';
import {
  type Duckdb,
  fieldTypeToSql,
  openDuckdb,
  quoteIdentifier,
  quoteLiteral,
} from '../../src/duckdb/index.ts';
import type { FreshetError } from '../../src/errors.ts';
import { type InspectedRow, inspectRows } from '../../src/online/index.ts';
import { openStateStore, type StateStore } from '../../src/state/index.ts';
import { openTestKv } from '../state/test-store.ts';

export const SOURCE = parquetSource({
  name: 'history',
  path: 'history/*.parquet',
  schema: { user: 'string', at: 'timestamp', made: 'timestamp', amount: 'int64' },
  timestampField: 'at',
  createdTimestampField: 'made',
});

const user = entity({ name: 'user', joinKeys: { user: 'string' } });

export const VIEW = featureView({
  name: 'spending',
  entities: [user],
  source: SOURCE,
  schema: { amount: 'int64' },
}) as unknown as FeatureView;

/** Times in microseconds since `T0`; `made` null: no created time. */
export interface HistoryRow {
  readonly user: string | null;
  readonly at: number | null;
  readonly made?: number | null;
  readonly amount: number | null;
}

/** 2025-01-01T00:00:00Z in microseconds. */
export const T0 = 1_735_689_600_000_000;

export class BackfillBench implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'freshet-backfill-'));
  readonly duckdb: Duckdb;

  private constructor(duckdb: Duckdb) {
    this.duckdb = duckdb;
  }

  static async open(): Promise<BackfillBench> {
    const duckdb = await openDuckdb({
      memoryLimitBytes: 256 * 1024 * 1024,
      threads: 1,
      tempDirectory: tmpdir(),
    });
    return new BackfillBench(duckdb);
  }

  /** Writes a file of the history, or another over it. */
  async writeFile(name: string, rows: readonly HistoryRow[], folder = 'history'): Promise<void> {
    mkdirSync(join(this.directory, folder), { recursive: true });
    const values = rows.map(({ user: key, at, made, amount }) => {
      const key_ = key === null ? 'NULL' : quoteLiteral(key);
      return `(${key_}, ${timeSql(at)}, ${timeSql(made ?? null)}, ${amount ?? 'NULL'})`;
    });
    const tuples = values.length === 0 ? '(NULL, NULL, NULL, NULL)' : values.join(', ');
    const path = quoteLiteral(join(this.directory, folder, `${name}.parquet`));
    const columns = Object.entries(SOURCE.schema).map(
      ([name, type]) =>
        `CAST(${quoteIdentifier(name)} AS ${fieldTypeToSql(type)}) AS ${quoteIdentifier(name)}`,
    );
    const names = Object.keys(SOURCE.schema).map(quoteIdentifier).join(', ');
    const where = values.length === 0 ? ' WHERE FALSE' : '';
    await this.duckdb.run(
      `COPY (SELECT ${columns.join(', ')} FROM (VALUES ${tuples}) rows(${names})${where}) ` +
        `TO ${path} (FORMAT parquet)`,
    );
  }

  removeFile(name: string): void {
    rmSync(join(this.directory, 'history', `${name}.parquet`));
  }

  materialize(
    state: StateStore,
    requested: MaterializationInterval,
    options: Partial<MaterializeViewOptions> = {},
  ): Promise<BackfillResult> {
    return materializeView({
      state,
      duckdb: this.duckdb,
      view: VIEW,
      source: SOURCE,
      baseDirectory: this.directory,
      requested,
      mode: 'range',
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.duckdb.close();
    rmSync(this.directory, { recursive: true });
  }
}

/** Both ends included, in microseconds since `T0`. */
export function interval(start: number, end: number): MaterializationInterval {
  return { startUs: T0 + start, endUs: T0 + end };
}

export async function openState(): Promise<StateStore> {
  return openStateStore(await openTestKv());
}

/** The stored rows of a view: amount and time since `T0` by user. */
export async function stored(
  state: StateStore,
  view: FeatureView = VIEW,
): Promise<Record<string, readonly [amount: unknown, at: number]>> {
  const rows: Record<string, readonly [unknown, number]> = {};
  for await (const row of inspectRows(state, view)) {
    rows[row.entityKey['user'] as string] = [amountOf(row), row.eventTimeUs - T0];
  }
  return rows;
}

function amountOf({ features }: InspectedRow): unknown {
  const amount = features['amount'];
  return typeof amount === 'bigint' ? Number(amount) : amount;
}

function timeSql(us: number | null): string {
  return us === null ? 'NULL' : `make_timestamp(${T0 + us})`;
}

/** What an attempt fails with. @throws Error when it does not fail */
export async function failure(attempt: Promise<unknown>): Promise<FreshetError> {
  return attempt.then(
    () => {
      throw new Error('it did not fail');
    },
    (thrown) => thrown,
  );
}

/** So many rows of five users, a second apart; each user's last is the newest. */
export function rowsOf(count: number, from = 0): HistoryRow[] {
  return Array.from({ length: count }, (_, i) => ({
    user: `u${(from + i) % 5}`,
    at: (from + i) * 1_000_000,
    amount: from + i,
  }));
}

/** Runs with a bench of its own. */
export async function withBench(work: (bench: BackfillBench) => Promise<void>): Promise<void> {
  await using bench = await BackfillBench.open();
  await work(bench);
}
