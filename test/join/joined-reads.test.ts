import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  entity,
  featureView,
  onDemandFeatureView,
  parquetSource,
} from '../../src/definition/index.ts';
import { batchRelation, type JoinFixture, openJoinFixture } from './fixture.ts';

const COLUMNS = 'k BIGINT, o BIGINT, ts TIMESTAMP, x INTEGER, y INTEGER, z INTEGER';
const item = entity({ name: 'item', joinKeys: { k: 'int64' } });
const owner = entity({ name: 'owner', joinKeys: { o: 'int64' } });
const source = parquetSource({
  name: 's',
  path: 's',
  schema: {
    k: 'int64',
    o: 'int64',
    ts: 'timestamp',
    x: 'int32',
    y: 'int32',
    z: 'int32',
  },
  timestampField: 'ts',
});
const base = { entities: [item], source, ttl: '1h' } as const;
const xs = featureView({ ...base, name: 'xs', schema: { x: 'int32', y: 'int32' } });
const ys = featureView({ ...base, name: 'ys', schema: { y: 'int32', z: 'int32' } });
const long = featureView({ ...base, name: 'long', schema: { x: 'int32' }, ttl: '3h' });
const owned = featureView({ ...base, name: 'owned', schema: { z: 'int32' }, entities: [owner] });
const sums = onDemandFeatureView({
  name: 'sums',
  sources: [ys, long],
  schema: { sum: 'int32' },
  transform: (row) => ({ sum: (row.z ?? 0) + (row.x ?? 0) }),
});
const definitions = [item, owner, source, xs, ys, long, owned, sums];
const FEATURES = ['xs:y', 'ys:z', 'long:x', 'owned:z', 'xs:x', 'ys:y', 'sums:sum'];
const LABELS = Array.from({ length: 40 }, (_, i) => ({
  k: BigInt(i % 5),
  o: BigInt(i % 3),
  event_timestamp: Date.UTC(2025, 0, 1, 0, i * 7) * 1_000,
}));

describe('reads of one source', () => {
  let fixture: JoinFixture;
  const statements: string[] = [];
  beforeAll(async () => {
    fixture = await openJoinFixture();
    const rows = Array.from({ length: 60 }, (_, i) => {
      const ts = `make_timestamp(${Date.UTC(2025, 0, 1, 0, i * 5) * 1_000})`;
      return [i % 5, i % 3, ts, i, i % 7 === 0 ? 'NULL' : i * 10, i * 100].join(', ');
    });
    for (const view of ['xs', 'ys', 'long', 'owned']) {
      fixture.relations.set(view, [batchRelation(COLUMNS, rows)]);
    }
  });
  afterAll(() => fixture.close());

  it.each(['asof', 'range'] as const)(
    'give together what they give alone, by %s',
    async (joinStrategy) => {
      const together = await answer(FEATURES, joinStrategy);
      for (const feature of FEATURES) {
        const alone = await answer([feature], joinStrategy);
        const name = feature.replace(':', '__');
        expect(alone.map((row) => row[name])).toEqual(together.map((row) => row[name]));
      }
      expect(together.some((row) => row['xs__y'] !== null)).toBe(true);
    },
  );

  it('are one statement where nothing but their features differs', async () => {
    statements.length = 0;
    await answer(FEATURES, 'range');
    const joins = statements.filter((sql) => sql.includes('CREATE OR REPLACE TABLE'));
    // xs with ys; long has another TTL, owned another key.
    expect(joins).toHaveLength(3);
  });

  async function answer(features: readonly string[], joinStrategy: 'asof' | 'range') {
    const { duckdb } = fixture;
    const connect = duckdb.connect.bind(duckdb);
    duckdb.connect = async () => {
      const connection = await connect();
      const run = connection.run.bind(connection);
      connection.run = (sql, ...rest) => {
        statements.push(sql);
        return run(sql, ...rest);
      };
      return connection;
    };
    try {
      await using joined = await fixture.reader(definitions).getHistoricalFeatures({
        features,
        entityRows: LABELS,
        fullFeatureNames: true,
        joinStrategy,
      });
      return await joined.toArray();
    } finally {
      duckdb.connect = connect;
    }
  }
});
