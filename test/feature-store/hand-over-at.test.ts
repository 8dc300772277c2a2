/** History of files up to an offset of each partition, and the topic from there on. */
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackfillSummary } from '../../src/feature-store/index.ts';
import {
  entity,
  type FeatureStore,
  openFeatureStore,
  parquetSource,
  sliding,
  topicSource,
  windowedFeatureView,
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
  partitions: 2,
});
const counts = windowedFeatureView({
  name: 'order_counts',
  entities: [entity({ name: 'customer', joinKeys: { id: 'int64' } })],
  source: orders,
  batchSource: history,
  aggregations: [{ function: 'count', window: sliding('365d'), name: 'orders_365d' }],
});
const ROWS = 60;
const CUSTOMERS = 6;
const START_MS = Date.parse('2026-01-01T00:00:00Z');
const COLUMNS = { partition: 'kafka_partition', offset: 'kafka_offset' };

describe('a handover at an offset', () => {
  let directory: string;
  let store: FeatureStore;
  let exported: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-hand-over-'));
    exported = join(directory, 'export.parquet');
    store = await open();
    await store.apply();
    await produce(0, ROWS);
    await exportTopic();
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('leaves no row out and takes none twice, however much of the topic the files have', async () => {
    const summary = await backfill([7, 11]);
    expect(summary.rowsLoaded).toBe(7 + 11);
    expect(summary.rowsLeft).toBe(ROWS - 7 - 11);
    await runEngine();
    expect(await countedOnline()).toBe(ROWS);
    expect(await countedInHistory()).toBe(ROWS);
    const segments = await store.segments('orders');
    expect(starts(segments)).toEqual([7, 11]);
  });

  it('is told, with what lies before it', async () => {
    const [handover] = (await backfill([7, 11])).handovers;
    expect(handover?.hasGap).toBe(false);
    expect(handover?.partitions.map(({ startOffset }) => startOffset)).toEqual([7, 11]);
    expect(handover?.repeatedRows).toBe(0);
  });

  it('has a gap where files that say offsets end before it', async () => {
    const partial = exported;
    exported = join(directory, 'partial.parquet');
    const duckdb = await store.resources.duckdb();
    const copy = (where: string) =>
      duckdb.run(
        `COPY (SELECT * FROM '${partial}' WHERE ${where}) TO '${exported}' (FORMAT parquet)`,
      );
    await copy('kafka_partition = 0 OR kafka_offset < 9');
    const [handover] = (await backfill([7, 11])).handovers;
    expect(handover?.partitions).toMatchObject([
      { startOffset: 7, filesEndOffset: 7, hasGap: false },
      { startOffset: 11, filesEndOffset: 9, hasGap: true },
    ]);
    // The rest comes in a file of its own, later.
    exported = join(directory, 'rest.parquet');
    await copy('kafka_partition = 1 AND kafka_offset >= 9');
    const [after] = (await backfill([7, 11])).handovers;
    expect(after?.hasGap).toBe(false);
    await runEngine();
    expect(await countedOnline()).toBe(ROWS);
  });

  it('takes files whole that do not say the places of their rows', async () => {
    const ends = await topicEnds();
    const summary = await backfill(ends, null);
    expect(summary.rowsLoaded).toBe(ROWS);
    await produce(ROWS, 20);
    await runEngine();
    expect(await countedOnline()).toBe(ROWS + 20);
    expect(await countedInHistory()).toBe(ROWS + 20);
  });

  it('is the same when it is run again, also after the engine', async () => {
    await backfill([7, 11]);
    await runEngine();
    const again = await backfill([7, 11]);
    expect(again).toMatchObject({ filesKnown: 1, rowsLoaded: 0 });
    await runEngine();
    expect(await countedOnline()).toBe(ROWS);
  });

  it('stays when the topic is replayed from its earliest record', async () => {
    await backfill([7, 11]);
    await runEngine();
    await store.replay({ from: 'earliest' });
    await runEngine();
    expect(await countedOnline()).toBe(ROWS);
  });

  it.each(['before the engine has read anything', 'when one partition has segments'])(
    'stays when the online store is lost %s',
    async (when) => {
      const [first] = await topicEnds();
      const offsets = [first as number, 11];
      await backfill(offsets);
      if (when.startsWith('when')) await runEngine();
      await store.close();
      await rm(join(directory, 'data', 'online'), { recursive: true });
      store = await open();
      await produce(ROWS, 20);
      const engine = await store.startEngine({ rebuildStore: true });
      await engine.caughtUp();
      await store.stopEngine();
      await backfill(offsets);
      expect(starts(await store.segments('orders'))).toEqual(offsets);
      expect(await countedOnline()).toBe(ROWS + 20);
      expect(await countedInHistory()).toBe(ROWS + 20);
    },
  );

  it('is refused for a partition that was read from another offset, and nothing is loaded', async () => {
    await runEngine();
    await expect(backfill([7, 11])).rejects.toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        where: { topic: 'orders', partition: 0, offset: 0 },
      }),
    );
    await expect(access(join(directory, 'history'))).rejects.toThrow(/ENOENT/);
    expect(await countedOnline()).toBe(ROWS);
  });

  it('is refused at offsets that are not there, for other partitions, and for other topics', async () => {
    await expect(backfill([7, 1_000])).rejects.toThrow(/no offset 1000 in partition 1 yet/);
    await expect(backfill([7])).rejects.toThrow(/2 partitions, and offsets of 1 are given/);
    const untilOffsets = { order: [7, 11] };
    await expect(
      store.backfill({ source: 'history', files: [exported], untilOffsets }),
    ).rejects.toThrow(/views of these files have "orders"/);
  });

  it('names the nearest column where the files have none of that name', async () => {
    const wrong = { ...COLUMNS, offset: 'kafka_ofset' };
    await expect(backfill([7, 11], wrong)).rejects.toThrow(/Did you mean "kafka_offset"/);
  });

  it('changes nothing when it is only tried', async () => {
    const summary = await backfill([7, 11], COLUMNS, true);
    expect(summary.rowsLoaded).toBe(7 + 11);
    await runEngine();
    expect(starts(await store.segments('orders'))).toEqual([0, 0]);
  });

  function open(): Promise<FeatureStore> {
    const definitions = [counts];
    return openFeatureStore({ directory, definitions, config: { project: 'handover' } });
  }

  async function runEngine(): Promise<void> {
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }

  async function produce(from: number, count: number): Promise<void> {
    await using producer = await store.producer(orders);
    await producer.send(
      Array.from({ length: count }, (_, k) => ({
        id: BigInt((from + k) % CUSTOMERS),
        at: new Date(START_MS + (from + k) * 60_000),
        amount: from + k,
      })),
    );
  }

  /** All of the topic, as another tool would have written it. */
  async function exportTopic(): Promise<void> {
    const log = await store.resources.log();
    const rows: string[] = [];
    for (const { end, ...tp } of await log.watermarks(places())) {
      await using reader = await log.assign([{ ...tp, offset: 0 }]);
      for (let next = 0; next < end; ) {
        for (const batch of await reader.poll({ waitMs: 1_000 })) {
          for (const [i, value] of batch.values.entries()) {
            const { id, at, amount } = JSON.parse(String(value));
            const micros = typeof at === 'number' ? at : Date.parse(at) * 1_000;
            rows.push(
              `(${id}::BIGINT, make_timestamp(${micros}), ${amount}::DOUBLE, ${batch.partition}, ${batch.offsets[i]}::BIGINT)`,
            );
          }
          next = batch.nextOffset;
        }
      }
    }
    const duckdb = await store.resources.duckdb();
    await duckdb.run(
      `COPY (SELECT * FROM (VALUES ${rows.join(', ')}) t(id, "at", amount, kafka_partition, kafka_offset))
       TO '${exported}' (FORMAT parquet)`,
    );
  }

  async function topicEnds(): Promise<number[]> {
    const log = await store.resources.log();
    return (await log.watermarks(places())).map(({ end }) => end);
  }

  function backfill(
    offsets: readonly number[],
    offsetColumns: typeof COLUMNS | null = COLUMNS,
    dryRun = false,
  ): Promise<BackfillSummary> {
    const untilOffsets = { orders: offsets };
    const columns = offsetColumns === null ? {} : { offsetColumns };
    return store.backfill({
      source: 'history',
      files: [exported],
      untilOffsets,
      ...columns,
      dryRun,
    });
  }

  async function countedOnline(): Promise<number> {
    const { rows } = await store.getOnlineFeatures({
      features: [counts],
      entityRows: Array.from({ length: CUSTOMERS }, (_, id) => ({ id: BigInt(id) })),
      asOf: new Date(START_MS + 86_400_000),
    });
    return rows.reduce((sum, row) => sum + Number(row.orders_365d ?? 0), 0);
  }

  async function countedInHistory(): Promise<number> {
    await using joined = await store.getHistoricalFeatures({
      features: [counts],
      entityRows: Array.from({ length: CUSTOMERS }, (_, id) => ({
        id: BigInt(id),
        event_timestamp: new Date(START_MS + 86_400_000),
      })),
    });
    const rows = await joined.toArray();
    return rows.reduce((sum, row) => sum + Number(row.orders_365d ?? 0), 0);
  }
});

const places = () => [0, 1].map((partition) => ({ topic: 'orders', partition }));

function starts(segments: readonly { partition: number; startOffset: number }[]): number[] {
  return [0, 1].map((partition) =>
    Math.min(...segments.filter((s) => s.partition === partition).map((s) => s.startOffset)),
  );
}
