import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../src/core/clock.ts';
import { RANK_BATCH, RANK_STREAM } from '../../src/core/row-order.ts';
import { buildCatalog, type Definition, type FeatureView } from '../../src/definition/index.ts';
import { type Duckdb, openDuckdb } from '../../src/duckdb/index.ts';
import {
  createHistoricalReader,
  type HistoricalReader,
  type RowRelation,
} from '../../src/join/index.ts';

const NOW = '2025-01-15T12:00:00Z';

export interface JoinFixture {
  readonly directory: string;
  readonly duckdb: Duckdb;
  readonly clock: ManualClock;
  /** Where the rows of a view are, by name. */
  readonly relations: Map<string, readonly RowRelation[]>;
  reader(definitions: readonly Definition[]): HistoricalReader;
  close(): Promise<void>;
}

export async function openJoinFixture(): Promise<JoinFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'freshet-join-'));
  const duckdb = await openDuckdb({
    memoryLimitBytes: 256 * 1024 * 1024,
    threads: 2,
    tempDirectory: join(directory, 'spill'),
  });
  const clock = new ManualClock(Date.parse(NOW));
  const relations = new Map<string, readonly RowRelation[]>();
  return {
    directory,
    duckdb,
    clock,
    relations,
    reader: (definitions) =>
      createHistoricalReader({
        duckdb,
        clock,
        catalog: buildCatalog(definitions),
        rowsOf: async (view: FeatureView) => relations.get(view.name) ?? [],
      }),
    async close() {
      await duckdb.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Rows as a batch source gives them. `columns` are SQL columns with types, `rows` SQL tuples; the
 * offset is the place in the list.
 */
export function batchRelation(
  columns: string,
  rows: readonly string[],
  createdTime: string | null = null,
): RowRelation {
  const sql = `SELECT *, 0::INTEGER AS _partition, 0::BIGINT AS _late FROM (${table(columns, rows)})`;
  return {
    sqlWithin: () => sql,
    filesWithin: () => ({ read: 1, of: 1 }),
    known: null,
    rank: RANK_BATCH,
    eventTime: 'ts',
    createdTime,
    arrivalTime: createdTime ?? 'ts',
  };
}

/** Rows as segments give them: each tuple ends in _partition, _arrival and _late. */
export function streamRelation(
  columns: string,
  rows: readonly string[],
  createdTime: string | null = null,
): RowRelation {
  const system = '_partition INTEGER, _arrival TIMESTAMP, _late BIGINT';
  return {
    sqlWithin: () => table(`${columns}, ${system}`, rows),
    filesWithin: () => ({ read: 1, of: 1 }),
    known: null,
    rank: RANK_STREAM,
    eventTime: 'ts',
    createdTime,
    arrivalTime: '_arrival',
  };
}

function table(columns: string, rows: readonly string[]): string {
  const declared = columns.split(/,\s*(?![^(]*\))/).map((column) => {
    const [name = '', ...type] = column.trim().split(' ');
    return { name, type: type.join(' ') };
  });
  const casts = declared.map(({ name, type }) => `CAST(${name} AS ${type}) AS ${name}`);
  const names = [...declared.map(({ name }) => name), '_offset'];
  const values =
    rows.length === 0
      ? `(${names.map(() => 'NULL').join(', ')})`
      : rows.map((row, i) => `(${row}, ${i})`).join(', ');
  const where = rows.length === 0 ? ' WHERE FALSE' : '';
  return `SELECT ${casts.join(', ')}, _offset::BIGINT AS _offset FROM (VALUES ${values}) v(${names.join(', ')})${where}`;
}
