import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import {
  type ConfigOverrides,
  type Definition,
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';
import type { SegmentEntry } from '../../src/segment/index.ts';

const shop = entity({ name: 'shop', joinKeys: { shop: 'string' } });
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  format: 'json',
  schema: { at: 'timestamp', shop: 'string', amount: 'float64' },
  timestampField: 'at',
  keyFields: ['shop'],
  partitions: 2,
});
const newest = featureView({
  name: 'newest_sale',
  entities: [shop],
  source: sales,
  schema: { amount: 'float64' },
});
const hourly = windowedFeatureView({
  name: 'shop_sales',
  entities: [shop],
  source: sales,
  grace: '1h',
  aggregations: [{ column: 'amount', function: 'sum', window: sliding('2d'), name: 'amount_2d' }],
});
const DEFINITIONS: Definition[] = [shop, sales, newest, hourly];
const START_MS = Date.parse('2026-03-01T00:00:00Z');
const ROWS = 600;
/** Twenty days of rows; a compacted file is closed behind each of them. */
const STEP_MS = (20 * 86_400_000) / ROWS;
const HOUR_MS = 3_600_000;

describe('history', () => {
  let directory: string;
  let store: FeatureStore;
  let clock: ManualClock;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-history-'));
    clock = new ManualClock(START_MS + 30 * 86_400_000);
    store = await open();
    await store.apply();
    await produce();
    await runEngine();
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is the same when it is compacted, in fewer files that are split by days', async () => {
    const before = await training();
    const files = (await segments()).length;
    const [result] = await store.history.compact({ all: true });
    expect(result).toMatchObject({ source: 'sales', filesBefore: files, rowsWritten: ROWS });
    expect(result?.filesAfter).toBeLessThan(files);
    expect(result?.writeAmplification).toBe(2);
    const after = await segments();
    expect(new Set(after.map((entry) => `${entry.partition} ${entry.startOffset}`)).size).toBe(2);
    expect(after.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(ROWS);
    expect(await training()).toEqual(before);
    expect((await store.verify()).same).toBe(true);
    expect(await store.history.compact({ all: true })).toMatchObject([{ rowsWritten: 0 }]);
  });

  it('is read whole by a join that began before it was compacted', async () => {
    const before = await training();
    const join = await ask();
    await store.history.compact({ all: true });
    clock.advance(2 * HOUR_MS);
    expect(await store.history.reclaim()).toEqual([]);
    expect(await join.toArray()).toEqual(before);
    await join.close();
    expect((await store.history.reclaim()).length).toBeGreaterThan(2);
    expect(await training()).toEqual(before);
  });

  it('keeps replaced files for their grace, also over a restart, and deletes them then', async () => {
    await store.history.compact({ all: true });
    const live = new Set((await segments()).map(({ file }) => file?.split('/')[1]));
    const replaced = async (): Promise<number> =>
      (await onDisk()).filter((file) => !live.has(file)).length;
    const kept = await replaced();
    expect(kept).toBeGreaterThan(2);
    await reopen();
    await runEngine();
    expect(await replaced()).toBe(kept);
    expect(await store.history.reclaim()).toEqual([]);
    clock.advance(HOUR_MS + 1);
    expect(await store.history.reclaim()).toHaveLength(kept);
    expect(await replaced()).toBe(0);
    expect((await onDisk()).sort()).toEqual([...live].sort());
  });

  it('sweeps away what a compaction that was killed has left', async () => {
    const before = await training();
    const { resources } = store;
    const original = resources.state.bind(resources);
    const segmentStore = await resources.segments();
    // Killed behind the files and before the manifest: the entries are dropped on the floor.
    const entries = (await segments()).filter(({ partition }) => partition === 0);
    await segmentStore.rewrite({ entries, source: sales, fileBytesTarget: 1 });
    resources.state = original;
    const orphans = (await onDisk()).length;
    await reopen();
    await runEngine();
    expect((await onDisk()).length).toBeLessThan(orphans);
    expect(await training()).toEqual(before);
  });

  it('is rebuilt from compacted files when the store is lost, whatever older files are beside them', async () => {
    const before = await training();
    const checksum = await store.checksum();
    await store.history.compact({ all: true });
    // And a rewriting that did not end: one part of several.
    const segmentStore = await store.resources.segments();
    const entries = (await segments()).filter(({ partition }) => partition === 1);
    const parts = await segmentStore.rewrite({ entries, source: sales, fileBytesTarget: 1 });
    await rm(join(directory, 'data/offline', parts[0]?.file ?? ''));
    await store.close();
    await rename(join(directory, 'data/online'), join(directory, 'lost'));
    store = await open();
    const engine = await store.startEngine({ rebuildStore: true });
    await engine.caughtUp();
    await store.stopEngine();
    expect(await store.checksum()).toEqual(checksum);
    expect(await training()).toEqual(before);
  });

  it('builds a changed view from compacted files to the bytes of a replay', async () => {
    await store.history.compact({ all: true });
    const changed = windowedFeatureView({
      name: 'shop_sales',
      entities: [shop],
      source: sales,
      grace: '1h',
      aggregations: [
        { column: 'amount', function: 'mean', window: sliding('1d'), name: 'amount_mean' },
        { column: 'amount', function: 'last', window: sliding('2d'), name: 'amount_last' },
      ],
    });
    await reopen([shop, sales, newest, changed]);
    await store.apply();
    await runEngine();
    const built = await store.checksum();
    expect((await store.replay({ from: 'earliest' })).same).toBe(true);
    expect(await store.checksum()).toEqual(built);
  });

  it('is compacted by a running engine, which also drops what no view needs', async () => {
    await store.close();
    store = await open(DEFINITIONS, {
      compaction: { fanIn: 2, everyMs: 5, fileBytesTarget: 1, graceMs: 0 },
      retention: { newest_sale: { age: '2d' }, shop_sales: { age: '5d' } },
    });
    expect(isMaintained(await segments())).toBe(false);
    await store.startEngine();
    for (let wait = 0; wait < 2_000; wait++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      clock.advance(10);
      if (isMaintained(await segments())) break;
    }
    await store.stopEngine();
    expect(isMaintained(await segments())).toBe(true);
    expect((await store.verify({ views: ['newest_sale'] })).same).toBe(true);
  });

  it('is dropped by bytes, oldest first, and never the newest file', async () => {
    await store.history.compact({ all: true });
    await store.close();
    store = await open(DEFINITIONS, {
      compaction: { fileBytesTarget: 1 },
      retention: { newest_sale: { bytes: 1 }, shop_sales: { bytes: 1 } },
    });
    const files = (await segments()).length;
    const [planned] = await store.history.retain({ dryRun: true });
    expect(planned).toMatchObject({ files: files - 1 });
    expect(await segments()).toHaveLength(files);
    expect(await store.history.retain()).toEqual([planned]);
    const left = (await segments()).filter(({ file }) => file !== null);
    expect(left).toHaveLength(1);
    expect(await store.history.retain()).toMatchObject([{ files: 0, beforeUs: null }]);
    await reopen();
    await runEngine();
  });

  it('is kept while one view of the source needs it, and refuses views that are not there', async () => {
    await store.close();
    store = await open(DEFINITIONS, { retention: { newest_sale: { age: '1h' } } });
    expect(await store.history.retain({ dryRun: true })).toMatchObject([{ files: 0 }]);
    await store.close();
    store = await open(DEFINITIONS, { retention: { newest_sail: { age: '1h' } } });
    await expect(store.history.retain()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('newest_sale'),
    });
  });

  function open(
    definitions = DEFINITIONS,
    offlineStore: NonNullable<ConfigOverrides['offlineStore']> = {
      compaction: { fileBytesTarget: 6_000, auto: false },
    },
  ): Promise<FeatureStore> {
    // A cut of few rows, so that there is something to compact.
    const config = {
      project: 'history',
      engine: { batchRecordsMax: 20 },
      offlineStore: { segmentRowsMax: 40, ...offlineStore },
    };
    return openFeatureStore({ directory, definitions, config, clock });
  }

  async function reopen(definitions = DEFINITIONS): Promise<void> {
    await store.close();
    store = await open(definitions);
  }

  async function runEngine(): Promise<void> {
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }

  /** All compacted, and no file whose rows are all more than five days old. */
  function isMaintained(entries: readonly SegmentEntry[]): boolean {
    const files = entries.filter(({ file }) => file !== null);
    const times = files.map((entry) => entry.maxEventTimeUs as number);
    const isYoung = Math.min(...times) >= Math.max(...times) - 5 * 86_400_000_000;
    return isYoung && files.every(({ rewrite }) => rewrite !== undefined);
  }

  const segments = () => store.segments('sales');

  async function onDisk(): Promise<string[]> {
    return (await readdir(join(directory, 'data/offline/sales'))).filter((f) =>
      f.includes('.parquet'),
    );
  }

  function ask() {
    return store.getHistoricalFeatures({
      features: ['newest_sale:amount', 'shop_sales:amount_2d'],
      entityRows: Array.from({ length: 120 }, (_, i) => ({
        shop: `s${i % 7}`,
        event_timestamp: new Date(START_MS + i * 5 * STEP_MS),
      })),
    });
  }

  async function training(): Promise<unknown[]> {
    await using join = await ask();
    return await join.toArray();
  }

  /** Rows of seven shops, some out of order, some late, in batches that are cut apart. */
  async function produce(): Promise<void> {
    await using producer = await store.producer(sales);
    for (let from = 0; from < ROWS; from += 50) {
      const rows = Array.from({ length: 50 }, (_, k) => {
        const i = from + k;
        const backMs = i % 11 === 0 ? 5 * HOUR_MS : (i % 5) * 600_000;
        return {
          at: new Date(START_MS + i * STEP_MS - backMs),
          shop: `s${i % 7}`,
          amount: i % 13 === 0 ? null : i / 8,
        };
      });
      await producer.send(rows);
    }
  }
});
