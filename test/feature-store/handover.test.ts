/** Where files end and a topic begins. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import type { Handover } from '../../src/feature-store/index.ts';
import {
  entity,
  type FeatureStore,
  type FeatureStoreOptions,
  featureView,
  openFeatureStore,
  parquetSource,
  topicSource,
} from '../../src/index.ts';

const schema = { id: 'int64', at: 'timestamp', amount: 'float64' } as const;
const history = parquetSource({ name: 'history', path: 'history', schema, timestampField: 'at' });
const orders = topicSource({
  name: 'orders',
  topic: 'orders',
  format: 'json',
  schema,
  timestampField: 'at',
  keyFields: ['id'],
  partitions: 1,
});
const common = {
  entities: [entity({ name: 'customer', joinKeys: { id: 'int64' } })],
  source: orders,
  batchSource: history,
};
const last = featureView({ ...common, name: 'last_order', schema: { amount: 'float64' } });

describe('the handover from files to a topic', () => {
  let directory: string;
  let store: FeatureStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-handover-'));
    store = await open([last]);
    await store.apply();
    const duckdb = await store.resources.duckdb();
    // Customers 1 to 9, on the days 1 to 9 of January.
    await duckdb.run(
      `COPY (SELECT i AS id, TIMESTAMP '2026-01-01' + to_days(i::INTEGER - 1) AS at, i::DOUBLE AS amount
       FROM range(1, 10) t(i)) TO '${join(directory, 'export.parquet')}' (FORMAT parquet)`,
    );
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is whole where the topic has all its records, and all of them are newer', async () => {
    await produce([10, 11, 12]);
    expect(await handover()).toEqual({
      view: 'last_order',
      topic: 'orders',
      filesEndUs: day(9),
      partitions: [
        {
          partition: 0,
          startOffset: 0,
          startUs: day(10),
          firstNewerOffset: 0,
          filesEndOffset: null,
          hasGap: false,
        },
      ],
      hasGap: false,
      overlapRows: 0,
      repeatedRows: 0,
      recordsNotSeen: 0,
    });
  });

  it.each([['while no engine has read them'], ['when they are in segments']])(
    'tells rows of the topic that are not newer, and those of them that the files have, too, %s',
    async (when) => {
      await produce([8, 9, 10, 11]);
      await produce([5], 77);
      if (when === 'when they are in segments') await runEngine();
      const partitions = [{ firstNewerOffset: 2, hasGap: false }];
      // Customers 8 and 9 on their days; customer 5 + 77 is not in the files.
      expect(await handover()).toMatchObject({ overlapRows: 3, repeatedRows: 2, partitions });
      // Left to the topic, they are in one place alone.
      const cut = await handover('2026-01-08');
      expect(cut).toMatchObject({ filesEndUs: day(7), overlapRows: 1, repeatedRows: 0 });
    },
  );

  it('has a gap where records are gone that were newer than the files', async () => {
    await produce([8, 9, 10, 11, 12, 13]);
    await forget(1);
    expect(await handover()).toMatchObject({ hasGap: false, overlapRows: 1 });
    await forget(4);
    const partitions = [{ partition: 0, startOffset: 4, hasGap: true }];
    expect(await handover()).toMatchObject({ hasGap: true, partitions });
  });

  it('has no gap where records are gone of the log that segments have', async () => {
    await produce([8, 9, 10, 11]);
    await runEngine();
    await forget(4);
    const partitions = [{ startOffset: 0, hasGap: false }];
    expect(await handover()).toMatchObject({ hasGap: false, overlapRows: 2, partitions });
  });

  it('is not misled by a single row that is late', async () => {
    await produce([12, 13, 2, ...Array.from({ length: 12 }, (_, i) => 14 + i), 31]);
    await forget(1);
    expect(await handover()).toMatchObject({ hasGap: true, overlapRows: 1 });
  });

  it('needs no topic that anybody wrote to', async () => {
    const partitions = [{ startOffset: 0, startUs: null, firstNewerOffset: null, hasGap: false }];
    expect(await handover()).toMatchObject({ hasGap: false, partitions });
  });

  it('begins with the engine where a view is new on a topic that has rows: it would take the view for built', async () => {
    await produce([10]);
    await runEngine();
    await store.close();
    const more = featureView({ ...common, name: 'more', schema: { amount: 'float64' } });
    store = await open([last, more]);
    await store.apply();
    const files = ['export.parquet'];
    await expect(store.backfill({ source: 'history', files })).rejects.toMatchObject({
      code: 'VIEW_STATE_OUTDATED',
      where: { view: 'more' },
    });
    await runEngine();
    await store.backfill({ source: 'history', files });
    const { rows } = await store.getOnlineFeatures({
      features: ['more:amount'],
      entityRows: [{ id: 9 }, { id: 10 }],
    });
    expect(rows.map(({ amount }) => amount)).toEqual([9, 10]);
    expect((await store.verify()).same).toBe(true);
  });

  async function handover(until?: string): Promise<Handover> {
    const files = ['export.parquet'];
    const summary = await store.backfill({
      source: 'last_order',
      files,
      ...(until && { until }),
    });
    return summary.handovers[0] as Handover;
  }

  function open(definitions: FeatureStoreOptions['definitions']): Promise<FeatureStore> {
    const clock = new ManualClock(Date.parse('2026-02-01T00:00:00Z'));
    return openFeatureStore({ directory, definitions, config: { project: 'handover' }, clock });
  }

  /** Rows of these days, of the customer of the same number and `further`. */
  async function produce(days: readonly number[], further = 0): Promise<void> {
    const ids = days.map((d) => d + further);
    await using producer = await store.producer(orders);
    await producer.send(
      days.map((d, i) => ({ id: ids[i] as number, at: new Date(day(d) / 1_000), amount: d })),
    );
  }

  async function runEngine(): Promise<void> {
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }

  async function forget(before: number): Promise<void> {
    const log = await store.resources.log();
    await log.deleteRecordsBefore({ topic: 'orders', partition: 0 }, before);
  }
});

function day(d: number): number {
  return Date.UTC(2026, 0, d) * 1_000;
}
