/**
 * The engine on Kafka: three million flights from a topic into both stores, as a ratio to kafkajs's
 * own `eachBatch` that only counts the same records; then how long a row takes from `send` until it
 * is read online while ten thousand others come in each second. Each cell is a process.
 *
 *     npx tsx benchmarks/kafka.ts [rounds, default 3]
 *
 * The broker is the one of KAFKA_BROKERS, else one that is started for it, on the same machine.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { startDevKafka } from '../connectors/kafka-dev/index.ts';
import {
  openEmbeddedSchemaRegistry,
  serveSchemaRegistry,
} from '../connectors/schema-registry/index.ts';
import { airport, airportDelays, airportStats, flights } from '../examples/quickstart/features.ts';
import {
  type Definition,
  entity,
  type FeatureStore,
  FreshetError,
  featureView,
  openFeatureStore,
  topicSource,
} from '../src/index.ts';
import { produceRows, readRows } from '../src/producer/index.ts';
import { FLIGHTS } from './flights.ts';

const PROGRAM = fileURLToPath(import.meta.url);
const ROWS = 3_000_000;
const RATIO_MIN = 0.4;

const LOAD_ROWS_PER_SECOND = 10_000;
const LOAD_TICK_MS = 10;
const PROBES = 1_000;
/** Of the probes, those before the code is warm. */
const WARM_UP = 100;

/** Definitions by cell; `bare` has none to feed. */
const CELLS: Readonly<Record<string, readonly Definition[]>> = {
  bare: [],
  rows: [airport, flights, airportStats],
  windows: [airport, flights, airportDelays],
};
const TITLES: Readonly<Record<string, string>> = {
  bare: 'bare: kafkajs eachBatch, records counted',
  rows: 'newest rows and segments',
  windows: '12 aggregations over 1h, 24h, 7d, and segments',
};

const sensor = entity({ name: 'sensor', joinKeys: { sensor_id: 'int64' } });
const readings = topicSource({
  name: 'readings',
  topic: 'bench-readings',
  schema: { at: 'timestamp', sensor_id: 'int64', value: 'float64' },
  timestampField: 'at',
  keyFields: ['sensor_id'],
  partitions: 4,
});
const lastReading = featureView({
  name: 'last_reading',
  entities: [sensor],
  source: readings,
  schema: { value: 'float64' },
});
const SENSORS = 10_000;
/** No row of the load is of this sensor. */
const PROBED = SENSORS;

/** Address of the broker, and of the registry. */
type Services = readonly [broker: string, registry: string];

interface Cell {
  readonly rowsPerSecond: number;
  readonly rssMb: number;
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'cell') console.log(JSON.stringify(await runCell(rest as [string, string, string])));
else if (first === 'latency') await probe(rest as [string, string]);
else if (first === 'load') await load(rest as [string, string]);
else await compare(Number(first ?? 3));

async function compare(rounds: number): Promise<void> {
  const given = process.env['KAFKA_BROKERS'];
  const kafka = given ? null : await startDevKafka({ heapMb: 1_024 }).catch(skip);
  const folder = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
  const registry = await openEmbeddedSchemaRegistry({ path: join(folder, 'schemas.json') });
  const server = await serveSchemaRegistry({ registry });
  const services: Services = [kafka?.broker ?? (given as string), server.url];
  try {
    await fill(services);
    const cells: Record<string, Cell[]> = { bare: [], rows: [], windows: [] };
    for (let round = 0; round < rounds; round++) {
      for (const name of Object.keys(CELLS)) {
        cells[name]?.push(await runProcess(['cell', name, ...services]));
      }
    }
    report(cells);
    reportLatency(await runProcess(['latency', ...services]));
  } finally {
    await server.close();
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The registry is served by this process, which therefore does not wait for the other one. */
async function runProcess<T>(args: readonly string[]): Promise<T> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [...process.execArgv, PROGRAM, ...args]);
  return JSON.parse(stdout);
}

function report(cells: Readonly<Record<string, readonly Cell[]>>): void {
  const bare = median((cells['bare'] ?? []).map((cell) => cell.rowsPerSecond));
  console.log(`${count(ROWS)} flights from Kafka, 4 partitions, median of the rounds`);
  for (const [name, all] of Object.entries(cells)) {
    const rowsPerSecond = median(all.map((cell) => cell.rowsPerSecond));
    const rssMb = Math.max(...all.map((cell) => cell.rssMb));
    const ratio = rowsPerSecond / bare;
    const rate = count(Math.round(rowsPerSecond)).padStart(9);
    console.log(
      `  ${(TITLES[name] as string).padEnd(48)} ${rate} rows/s  ${ratio.toFixed(2)} of bare  ${rssMb} MB peak`,
    );
    if (name === 'rows' && ratio < RATIO_MIN) fail(`rows are to come at ${RATIO_MIN} of bare`);
  }
}

function reportLatency(latency: readonly number[]): void {
  const sorted = latency.toSorted((a, b) => a - b);
  const at = (part: number): string =>
    (sorted[Math.floor(sorted.length * part)] as number).toFixed(1);
  console.log(
    `send to online read, ${count(LOAD_ROWS_PER_SECOND)} other rows/s, ${count(sorted.length)} probes: ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(0.9999)} ms`,
  );
}

async function fill(services: Services): Promise<void> {
  await withStore(services, CELLS['rows'] as readonly Definition[], async (store) => {
    await store.apply();
    const reader = await readRows({
      input: { format: 'parquet', path: FLIGHTS },
      source: flights,
      duckdb: await store.resources.duckdb(),
    });
    await using producer = await store.producer(flights);
    await produceRows({ producer, reader, strict: true });
  });
}

async function runCell([name, ...services]: readonly [string, string, string]): Promise<Cell> {
  const seconds =
    name === 'bare' ? await readBare(services) : await runEngine(services, CELLS[name] ?? []);
  return {
    rowsPerSecond: ROWS / seconds,
    rssMb: Math.round(process.resourceUsage().maxRSS / 1_024),
  };
}

async function runEngine(services: Services, definitions: readonly Definition[]): Promise<number> {
  return withStore(services, definitions, async (store) => {
    await store.apply();
    const began = performance.now();
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
    return (performance.now() - began) / 1_000;
  });
}

/** kafkajs as most use it, with fetches as large as ours. */
async function readBare([broker]: Services): Promise<number> {
  const kafka = new Kafka({ brokers: broker.split(','), logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, maxWaitTimeInMs: 250 });
  await consumer.connect();
  await consumer.subscribe({ topic: flights.topic, fromBeginning: true });
  const began = performance.now();
  let records = 0;
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        autoCommit: false,
        partitionsConsumedConcurrently: flights.partitions,
        eachBatch: async ({ batch }) => {
          records += batch.messages.length;
          if (records >= ROWS) resolve();
        },
      })
      .catch(reject);
  });
  const seconds = (performance.now() - began) / 1_000;
  await consumer.disconnect();
  return seconds;
}

/** Sends a row of its own and reads until it is there, again and again; milliseconds of each. */
async function probe(services: Services): Promise<void> {
  const took: number[] = [];
  await withStore(services, [sensor, readings, lastReading], async (store) => {
    await store.apply();
    const engine = await store.startEngine();
    await engine.caughtUp();
    const loading = spawn(process.execPath, [...process.execArgv, PROGRAM, 'load', ...services], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => loading.stdout.once('data', resolve));
    await using producer = await store.producer(readings);
    const request = {
      features: [lastReading.select('value')],
      entityRows: [{ sensor_id: BigInt(PROBED) }],
    } as const;
    for (let value = 1; value <= WARM_UP + PROBES; value++) {
      const began = performance.now();
      const sent = producer.send([{ at: new Date(), sensor_id: BigInt(PROBED), value }]);
      while ((await store.getOnlineFeatures(request)).rows[0]?.value !== value) await sleep(1);
      if (value > WARM_UP) took.push(performance.now() - began);
      await sent;
      await sleep(5);
    }
    loading.kill();
    await store.stopEngine();
  });
  console.log(JSON.stringify(took));
}

/** Ten thousand rows a second, until it is killed. */
async function load(services: Services): Promise<void> {
  await withStore(services, [sensor, readings, lastReading], async (store) => {
    await using producer = await store.producer(readings);
    const perTick = (LOAD_ROWS_PER_SECOND * LOAD_TICK_MS) / 1_000;
    const began = performance.now();
    for (let tick = 1, id = 0; ; tick++) {
      const at = new Date();
      const rows = Array.from({ length: perTick }, () => {
        id = (id + 1) % SENSORS;
        return { at, sensor_id: BigInt(id), value: tick };
      });
      await producer.send(rows);
      if (tick === 1) console.log('loading');
      const aheadMs = tick * LOAD_TICK_MS - (performance.now() - began);
      if (aheadMs > 0) await sleep(aheadMs);
    }
  });
}

/** A feature store in a folder that goes with it. */
async function withStore<T>(
  [broker, registry]: Services,
  definitions: readonly Definition[],
  use: (store: FeatureStore) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
  const group = `bench-${process.pid}`;
  const log = {
    type: 'kafka',
    brokers: broker.split(','),
    schemaRegistry: { url: registry },
  } as const;
  const config = { project: 'bench', log, engine: { group } };
  try {
    const store = await openFeatureStore({ directory, definitions, config });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Without a broker, and without what starts one, there is nothing to measure. */
function skip(thrown: unknown): never {
  if (!(thrown instanceof FreshetError)) throw thrown;
  console.log(`skipped: ${thrown.message}`);
  process.exit(0);
}

function fail(why: string): void {
  console.error(`FAILED: ${why}`);
  process.exitCode = 1;
}
