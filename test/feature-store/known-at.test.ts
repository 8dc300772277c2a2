/** The value at an event time as it was known then: each label looks at every row that had come. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  parquetSource,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../src/index.ts';
import { generator } from '../window/streams.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_261_127);
const PARTITIONS = 2;
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 1);
const SIZE_MS = 90 * MINUTE_MS;
const schema = { id: 'int64', at: 'timestamp', made: 'timestamp', amount: 'int64' } as const;
const shop = entity({ name: 'shop', joinKeys: { id: 'int64' } });
const past = parquetSource({
  name: 'past',
  path: 'past',
  schema,
  timestampField: 'at',
  createdTimestampField: 'made',
});
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  format: 'json',
  schema,
  timestampField: 'at',
  createdTimestampField: 'made',
  keyFields: ['id'],
  partitions: PARTITIONS,
  // Rows come hours out of order, and none is late.
  outOfOrderMs: 100 * 3_600_000,
});
const newest = featureView({
  name: 'newest',
  entities: [shop],
  source: sales,
  batchSource: past,
  schema: { amount: 'int64' },
  ttl: '3h',
});
const sums = windowedFeatureView({
  name: 'sums',
  entities: [shop],
  source: sales,
  batchSource: past,
  aggregations: [
    {
      column: 'amount',
      function: 'sum',
      window: sliding('90m', { exact: true }),
      name: 'sum_90m',
    },
  ],
});

interface Row {
  readonly id: bigint;
  readonly atMs: number;
  readonly madeMs: number;
  readonly amount: bigint;
  /** Where it lies in the topic, and when it came; of a file: when it was made. */
  readonly partition: number | null;
  readonly offset: number;
  readonly arrivalMs: number;
}

interface Label {
  readonly id: bigint;
  readonly timeMs: number;
}

describe(`history as it was known (seed ${SEED})`, () => {
  const random = generator(SEED);
  const draw = (n: number): number => Math.floor(random() * n);
  let directory: string;
  let store: FeatureStore;
  let rows: Row[];
  let labels: Label[];
  const clock = new ManualClock(START_MS);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-known-'));
    store = await openFeatureStore({
      directory,
      clock,
      definitions: [shop, newest, sums],
      config: { project: 'known', offlineStore: { segmentRowsMax: 40 } },
    });
    await store.apply();
    rows = [...(await backfill()), ...(await stream())];
    labels = Array.from({ length: 300 }, () => ({
      id: BigInt(draw(6)),
      timeMs: START_MS + draw(12 * 60) * MINUTE_MS,
    }));
  });
  afterAll(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('at an offset of each partition', async () => {
    const ends = Array.from({ length: PARTITIONS }, (_, p) => sizeOf(p));
    const cuts = [ends, ends.map(() => 0), ...[1, 2, 3, 4].map(() => ends.map((n) => draw(n + 1)))];
    for (const cut of cuts) {
      const seen = rows.filter((row) => row.partition === null || row.offset < cut[row.partition]!);
      const answer = await joined({ knownAtOffsets: { sales: cut } });
      expect(answer, `offsets ${cut}`).toEqual(labels.map((label) => expected(label, seen)));
    }
  });

  it('at an offset, of rows that had arrived', async () => {
    const cut = Array.from({ length: PARTITIONS }, (_, p) => draw(sizeOf(p)));
    const seen = rows.filter((row) => row.partition === null || row.offset < cut[row.partition]!);
    const answer = await joined({ knownAtOffsets: { sales: cut }, knownAt: 'arrival' });
    expect(answer).toEqual(labels.map((label) => expectedArrived(label, seen)));
  });

  it('at the time of each label', async () => {
    const answer = await joined({ knownAt: 'arrival' });
    const naive = labels.map((label) => expectedArrived(label, rows));
    expect(answer).toEqual(naive);
    // Otherwise this would show nothing.
    expect(naive).not.toEqual(labels.map((label) => expected(label, rows)));
  });

  it('is the same when it is compacted', async () => {
    const cut = Array.from({ length: PARTITIONS }, (_, p) => draw(sizeOf(p)));
    const before = await joined({ knownAtOffsets: { sales: cut } });
    await store.history.compact({ all: true });
    expect(await joined({ knownAtOffsets: { sales: cut } })).toEqual(before);
  });

  function sizeOf(partition: number): number {
    return rows.filter((row) => row.partition === partition).length;
  }

  async function joined(options: object): Promise<unknown[]> {
    await using answer = await store.getHistoricalFeatures({
      features: ['newest:amount', 'sums:sum_90m'],
      entityRows: labels.map(({ id, timeMs }) => ({ id, event_timestamp: new Date(timeMs) })),
      ...options,
    });
    return (await answer.toArray()).map((row) => [row['amount'], row['sum_90m']]);
  }

  function expected({ id, timeMs }: Label, seen: readonly Row[]): unknown[] {
    const own = seen.filter((row) => row.id === id && row.atMs <= timeMs).sort(inOrder);
    const last = own.at(-1);
    const amount = last !== undefined && timeMs - last.atMs <= 180 * MINUTE_MS ? last.amount : null;
    const inside = own.filter(({ atMs }) => atMs > timeMs - SIZE_MS);
    const sum = inside.reduce((total, row) => total + row.amount, 0n);
    return [amount, inside.length === 0 ? null : sum];
  }

  function expectedArrived(label: Label, seen: readonly Row[]): unknown[] {
    return expected(
      label,
      seen.filter(({ arrivalMs }) => arrivalMs <= label.timeMs),
    );
  }

  /** Rows of the stream win over those of files; partition and offset decide last. */
  function inOrder(a: Row, b: Row): number {
    const rank = ({ partition }: Row): number => (partition === null ? 0 : 1);
    return (
      a.atMs - b.atMs ||
      a.madeMs - b.madeMs ||
      rank(a) - rank(b) ||
      (a.partition ?? 0) - (b.partition ?? 0) ||
      a.offset - b.offset
    );
  }

  function makeRow(amount: number, arrivalMs: number): Omit<Row, 'partition' | 'offset'> {
    // Few times, so that many rows have the same.
    const atMs = Math.min(arrivalMs, START_MS + draw(11 * 12) * 5 * MINUTE_MS);
    const madeMs = atMs + draw(2) * MINUTE_MS;
    return { id: BigInt(draw(5)), atMs, madeMs, amount: BigInt(amount), arrivalMs };
  }

  async function backfill(): Promise<Row[]> {
    const made = Array.from({ length: 150 }, (_, offset): Row => {
      const row = makeRow(offset, Number.POSITIVE_INFINITY);
      return { ...row, arrivalMs: row.madeMs, partition: null, offset };
    });
    const values = made.map(
      ({ id, atMs, madeMs, amount }) =>
        `(${id}::BIGINT, make_timestamp(${atMs * 1_000}), make_timestamp(${madeMs * 1_000}), ${amount}::BIGINT)`,
    );
    const file = join(directory, 'export.parquet');
    const duckdb = await store.resources.duckdb();
    await duckdb.run(
      `COPY (SELECT * FROM (VALUES ${values.join(', ')}) t(id, "at", made, amount)) TO '${file}'`,
    );
    await store.backfill({ source: 'past', files: [file] });
    return made;
  }

  /** Batches that come an hour apart, and where the log has put their rows. */
  async function stream(): Promise<Row[]> {
    const sent = new Map<string, Omit<Row, 'partition' | 'offset'>>();
    await using producer = await store.producer(sales);
    for (let hour = 1; hour <= 10; hour++) {
      const arrivalMs = START_MS + hour * 60 * MINUTE_MS;
      clock.advance(60 * MINUTE_MS);
      const batch = Array.from({ length: 30 }, (_, i) => makeRow(1_000 * hour + i, arrivalMs));
      for (const row of batch) sent.set(String(row.amount), row);
      await producer.send(
        batch.map(({ id, atMs, madeMs, amount }) => ({
          ...{ id, amount, at: new Date(atMs), made: new Date(madeMs) },
        })),
      );
    }
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
    const duckdb = await store.resources.duckdb();
    const files = (await store.segments('sales')).flatMap(({ file }) => file ?? []);
    const paths = files.map((file) => `'${join(directory, 'data/offline', file)}'`);
    const found = await duckdb.query(
      `SELECT amount, _partition AS p, _offset::DOUBLE AS o FROM read_parquet([${paths.join(', ')}])`,
    );
    return found.map(({ amount, p, o }) => ({
      ...(sent.get(String(amount)) as Omit<Row, 'partition' | 'offset'>),
      partition: Number(p),
      offset: Number(o),
    }));
  }
});
