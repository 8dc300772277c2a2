import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDurationUs } from '../../src/core/time.ts';
import { buildCatalog, entity, featureView, parquetSource } from '../../src/definition/index.ts';
import type { DuckdbConnection } from '../../src/duckdb/index.ts';
import type { RowRelation } from '../../src/join/index.ts';
import { readFacts } from '../../src/join/read-facts.ts';
import type { RowFilter } from '../../src/join/row-relation.ts';
import { planFeatures } from '../../src/transform/index.ts';
import { type JoinFixture, openJoinFixture } from './fixture.ts';

const START_US = Date.UTC(2025, 0, 1) * 1_000;
const DAY_US = parseDurationUs('1d');
const DAYS = 40;
const ROWS = 300_000;

describe('the facts of a read', () => {
  let fixture: JoinFixture;
  let connection: DuckdbConnection;
  beforeAll(async () => {
    fixture = await openJoinFixture();
    connection = await fixture.duckdb.connect();
    // Two key columns; some entities have a few rows more than others.
    await connection.run(`CREATE TABLE many AS SELECT * FROM (
      SELECT (CASE WHEN i % 10 = 0 THEN i % 100000 ELSE i % 40000 END)::BIGINT AS k, 'x' AS l,
        make_timestamp(${START_US} + (hash(i) % ${DAYS * DAY_US})::BIGINT) AS ts, i::INTEGER AS x
      FROM range(${ROWS}) r(i))`);
    await connection.run('CREATE TABLE few AS SELECT * REPLACE (k % 100 AS k) FROM many');
    await connection.run(
      'CREATE TABLE labels AS SELECT 0::BIGINT AS q, k AS c0, l AS c1 FROM (SELECT DISTINCT k, l FROM many WHERE k % 2 = 0)',
    );
  });
  afterAll(async () => {
    await connection.close();
    await fixture.close();
  });

  it('come from a sample of many entities, close to what there is', async () => {
    const facts = await factsOf('many', {});
    const [truth] = await connection.query('SELECT count(DISTINCT k) AS n FROM many');
    expect(facts.entityCount / Number(truth?.['n'])).toBeCloseTo(1, 0.5);
    expect(facts.rowCount / ROWS).toBeCloseTo(1, 0.5);
    expect(facts.labelEntityCount / (Number(truth?.['n']) / 2)).toBeCloseTo(1, 0.5);
    expect(facts.minTimeUs).toBeCloseTo(START_US, -9);
    expect(facts.maxTimeUs).toBeCloseTo(START_US + DAYS * DAY_US, -9);
  });

  it('take the rows of a sample to be spread evenly over time', async () => {
    const bounds = { fromUs: START_US + 10 * DAY_US, toUs: START_US + 20 * DAY_US };
    const facts = await factsOf('many', bounds);
    expect(facts.rowCount / (ROWS / 4)).toBeCloseTo(1, 0.5);
    expect([facts.minTimeUs, facts.maxTimeUs]).toEqual([bounds.fromUs, bounds.toUs]);
  });

  it('of few entities are counted', async () => {
    const bounds = { fromUs: START_US, toUs: START_US + 20 * DAY_US };
    const facts = await factsOf('few', bounds);
    const [truth] = await connection.query(
      `SELECT count(*) AS n FROM few WHERE ts <= make_timestamp(${bounds.toUs})`,
    );
    expect(facts.rowCount).toBe(Number(truth?.['n']));
    expect(facts.entityCount).toBeGreaterThan(50);
    expect(facts.entityCount).toBeLessThan(150);
  });

  it('say that there are no rows', async () => {
    const facts = await factsOf('few', { fromUs: START_US + 90 * DAY_US, toUs: null });
    expect(facts).toMatchObject({ rowCount: 0, minTimeUs: null, maxTimeUs: null });
  });

  async function factsOf(table: string, bounds: Partial<RowFilter>) {
    const relation: RowRelation = {
      sqlWithin: () => `SELECT *, 0 AS _partition, rowid AS _offset FROM ${table}`,
      filesWithin: () => ({ read: 1, of: 1 }),
      known: null,
      rank: 0,
      eventTime: 'ts',
      createdTime: null,
      arrivalTime: 'ts',
    };
    const filter: RowFilter = {
      fromUs: null,
      toUs: null,
      lateByUsMax: null,
      needsArrival: false,
      keysSql: null,
      ...bounds,
    };
    const labels = { table: 'labels', keyColumns: ['c0', 'c1'] };
    const ask = async (sql: string) => (await connection.query(sql))[0];
    return readFacts(ask, { read: plannedRead(), relations: [relation], labels }, filter);
  }
});

function plannedRead() {
  const view = featureView({
    name: 'v',
    entities: [entity({ name: 'e', joinKeys: { k: 'int64', l: 'string' } })],
    source: parquetSource({
      name: 's',
      path: 's.parquet',
      schema: { k: 'int64', l: 'string', ts: 'timestamp', x: 'int32' },
      timestampField: 'ts',
    }),
    schema: { x: 'int32' },
  });
  const plan = planFeatures(buildCatalog([view]), { features: [view] });
  return plan.reads[0] as NonNullable<(typeof plan.reads)[0]>;
}
