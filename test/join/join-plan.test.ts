import { describe, expect, it } from 'vitest';
import { parseDurationUs } from '../../src/core/time.ts';
import { buildCatalog, entity, featureView, parquetSource } from '../../src/definition/index.ts';
import { type LabelFacts, planRead, type ReadFacts, timeBounds } from '../../src/join/join-plan.ts';
import { planFeatures } from '../../src/transform/index.ts';

const HOUR = parseDurationUs('1h');
const labels: LabelFacts = { rowCount: 10, minTimeUs: 1_000 * HOUR, maxTimeUs: 2_000 * HOUR };
const facts: ReadFacts = {
  rowCount: 100_000,
  entityCount: 1_000,
  labelEntityCount: 1_000,
  minTimeUs: 0,
  maxTimeUs: 1_000 * HOUR,
  files: { read: 1, of: 1 },
};

function plannedRead(ttl: '1h' | '24h' | '30h' | '40h' | null) {
  const view = featureView({
    name: 'v',
    entities: [entity({ name: 'e', joinKeys: { id: 'int64' } })],
    source: parquetSource({
      name: 's',
      path: 's.parquet',
      schema: { id: 'int64', ts: 'timestamp', x: 'int32' },
      timestampField: 'ts',
    }),
    schema: { x: 'int32' },
    ttl,
  });
  const plan = planFeatures(buildCatalog([view]), { features: [view] });
  return plan.reads[0] as NonNullable<(typeof plan.reads)[0]>;
}

describe('planRead', () => {
  it('hashes labels by range while fewer than three rows match a label', () => {
    const plan = planRead(plannedRead('24h'), labels, facts, null);
    expect(plan.matchesPerLabel).toBeCloseTo(2.4);
    expect(plan.strategy).toBe('range');
  });

  it('sorts both sides from three rows a label on', () => {
    expect(planRead(plannedRead('30h'), labels, facts, null).strategy).toBe('asof');
    expect(planRead(plannedRead('40h'), labels, facts, null).strategy).toBe('asof');
  });

  it('takes all rows of an entity as matches without a TTL', () => {
    expect(planRead(plannedRead(null), labels, facts, null).matchesPerLabel).toBe(100);
    const profile = { ...facts, rowCount: 1_000 };
    expect(planRead(plannedRead(null), labels, profile, null).strategy).toBe('range');
  });

  it('does what it is told', () => {
    expect(planRead(plannedRead('40h'), labels, facts, 'range').strategy).toBe('range');
    expect(planRead(plannedRead('1h'), labels, facts, 'asof').strategy).toBe('asof');
  });

  it('cuts time into wide buckets where few hold a label, four TTLs at most', () => {
    const bucketOf = (rowCount: number) =>
      planRead(plannedRead('1h'), { ...labels, rowCount }, facts, null).bucketUs;
    // 1,000 entities with labels over 1,000 hours.
    expect(bucketOf(62_000)).toBe(4 * HOUR);
    expect(bucketOf(63_000)).toBe(HOUR);
    expect(planRead(plannedRead(null), labels, facts, null).bucketUs).toBeNull();
  });

  it('drops entities without a label only where most have none', () => {
    const few = { ...facts, labelEntityCount: 200 };
    const many = { ...facts, labelEntityCount: 300 };
    expect(planRead(plannedRead('1h'), labels, few, null).onlyLabelledEntities).toBe(true);
    expect(planRead(plannedRead('1h'), labels, many, null).onlyLabelledEntities).toBe(false);
  });

  it('copes with a view that has no rows', () => {
    const none = {
      rowCount: 0,
      entityCount: 0,
      labelEntityCount: 5,
      minTimeUs: null,
      maxTimeUs: null,
      files: { read: 0, of: 0 },
    };
    expect(planRead(plannedRead('1h'), labels, none, null).matchesPerLabel).toBe(0);
  });
});

describe('timeBounds', () => {
  it('reaches one TTL before the first label and to the last', () => {
    expect(timeBounds(labels, HOUR)).toEqual({ fromUs: 999 * HOUR, toUs: 2_000 * HOUR });
    expect(timeBounds(labels, null)).toEqual({ fromUs: null, toUs: 2_000 * HOUR });
  });
});
