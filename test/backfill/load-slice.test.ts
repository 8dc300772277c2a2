/** Slices of batch history in the order of entity keys, gone on with from any place. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type LoadedRows,
  loadNewest,
  loadWindows,
  type Slice,
} from '../../src/backfill/load-slice.ts';
import type { KeyType } from '../../src/core/field-type.ts';
import {
  entity,
  type FeatureView,
  featureView,
  lifetime,
  parquetSource,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import { parquetRelation } from '../../src/segment/index.ts';
import { openState, withBench } from './support.ts';

const KEYS: readonly [type: KeyType, sql: string][] = [
  ['int32', '(i % 5 - 2)::INTEGER'],
  ['int64', '(i % 5 - 2) * 9007199254740993'],
  ['string', "['', 'it''s', 'ä', 'a\"b', 'z'][i % 5 + 1]"],
  ['bool', 'i % 2 = 0'],
  ['bytes', "['\\x00'::BLOB, '\\xFF'::BLOB, 'ab'::BLOB][i % 3 + 1]"],
  ['timestamp', 'make_timestamp((i % 5 - 2) * 1000001)'],
];
const ROWS = 61;

describe('a slice of batch history', () => {
  it.each([...KEYS.map((key) => [key]), KEYS.slice(0, 3), []])(
    'by keys %s is in their order, and goes on behind any of its rows',
    (...keys) =>
      withSlice(keys, true, async (slice) => {
        const whole = await collect(loadWindows(slice, null));
        expect(whole.reduce((sum, { rows }) => sum + rows, 0)).toBe(ROWS);
        expect(whole.map(({ rows }) => rows)).toEqual([...new Array(8).fill(7), 5]);
        for (const [i, { last }] of whole.entries()) {
          const after = JSON.parse(JSON.stringify(last));
          const rest = await collect(loadWindows(slice, after));
          expect(rest.map((loaded) => loaded.last)).toEqual(
            whole.slice(i + 1).map((loaded) => loaded.last),
          );
        }
      }),
  );

  it.each([...KEYS.map((key) => [key]), KEYS.slice(0, 2), []])(
    'of newest rows by keys %s has one row of each entity',
    (...keys) =>
      withSlice(keys, false, async (slice) => {
        const loaded = await collect(loadNewest(slice));
        const names = keys.map((_, k) => `k${k}`).join(', ');
        const [found] = await slice.duckdb.query(
          names === ''
            ? 'SELECT 1::DOUBLE AS n'
            : `SELECT count(*)::DOUBLE AS n FROM (SELECT DISTINCT ${names} FROM (${slice.relation.sql}))`,
        );
        expect(loaded.reduce((sum, { written }) => sum + written, 0)).toBe(found?.['n']);
        expect(loaded.reduce((sum, { rows }) => sum + rows, 0)).toBe(found?.['n']);
      }),
  );
});

/** A slice of rows a second, as windows or newest rows, with these join keys. */
async function withSlice(
  keys: readonly (readonly [KeyType, string])[],
  isWindowed: boolean,
  work: (slice: Slice) => Promise<void>,
): Promise<void> {
  await withBench(async ({ duckdb, directory }) => {
    const columns = keys.map(([, sql], k) => `${sql} AS k${k}`);
    const path = join(directory, 'rows.parquet');
    await duckdb.run(
      `COPY (SELECT ${[...columns, 'make_timestamp(i * 1000000) AS t', 'i AS amount'].join(', ')}
       FROM range(${ROWS}) r(i)) TO '${path}' (FORMAT parquet)`,
    );
    const joinKeys = Object.fromEntries(keys.map(([type], k) => [`k${k}`, type]));
    const schema = { ...joinKeys, t: 'timestamp', amount: 'int64' } as const;
    const source = parquetSource({
      ...{ name: 'rows', path, schema, timestampField: 't' },
    } as never);
    const entities = keys.length === 0 ? [] : [entity({ name: 'e', joinKeys })];
    const aggregations = [{ function: 'count', window: lifetime(), name: 'n' }] as const;
    const view = (isWindowed
      ? windowedFeatureView({ name: 'view', entities, source, aggregations })
      : featureView({
          name: 'view',
          entities,
          source,
          schema: { amount: 'int64' },
        })) as unknown as FeatureView;
    const state = await openState();
    await work({
      ...{ state, duckdb, view, source, writeRowsMax: 7 },
      sourceId: await state.dictionary.ensureSource('rows'),
      relation: await parquetRelation(duckdb, source, directory),
      range: { startUs: 0, endUs: ROWS * 1_000_000 },
    });
  });
}

async function collect(loading: AsyncIterable<LoadedRows>): Promise<LoadedRows[]> {
  const found: LoadedRows[] = [];
  for await (const loaded of loading) found.push(loaded);
  return found;
}
