/**
 * Windows: what an online read costs as windows grow from an hour to ninety days, in turns with the
 * bare `getMany` of the same keys; our own work in it, which is a read whose `getMany` is answered
 * from memory; and the historical join of 100,000 labels over three million flights.
 *
 *     npx tsx benchmarks/windows.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { airport, airportDelays, flights } from '../examples/quickstart/features.ts';
import { type FeatureStore, openFeatureStore, sliding, windowedFeatureView } from '../src/index.ts';
import { produceRows, readRows } from '../src/producer/index.ts';
import { FLIGHTS } from './flights.ts';
import { takeTurns } from './take-turns.ts';
import { type Answer, Tape } from './tape.ts';

const SIZES = ['1h', '6h', '24h', '7d', '30d', '90d'] as const;
const READS = 2_000;
const WARM_UP = 3_000;
const LABELS = 100_000;
const AS_OF = '2001-06-30T20:00:00Z';
const AIRPORTS = ['ATL', 'ORD', 'DFW', 'LAX', 'PHX', 'DEN', 'JFK', 'BOS'];

const sizes = windowedFeatureView({
  name: 'sizes',
  entities: [airport],
  source: flights,
  aggregations: SIZES.map((size) => ({
    column: 'delay' as const,
    function: 'mean' as const,
    window: sliding(size),
    name: `mean_${size}`,
  })),
});

const directory = mkdtempSync(join(tmpdir(), 'freshet-bench-'));
const store = await openFeatureStore({
  directory,
  definitions: [airport, flights, sizes, airportDelays],
  config: { project: 'bench', onlineStore: { cacheBytesMax: 0 } },
});
try {
  await fill(store);
  await readCosts(store);
  await joinCost(store);
} finally {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}

async function fill(opened: FeatureStore): Promise<void> {
  await opened.apply();
  const reader = await readRows({
    input: { format: 'parquet', path: FLIGHTS },
    source: flights,
    duckdb: await opened.resources.duckdb(),
  });
  const producer = await opened.producer(flights);
  await produceRows({ producer, reader, strict: true });
  await producer.close();
  const engine = await opened.startEngine();
  await engine.caughtUp();
  await opened.stopEngine();
}

async function readCosts(opened: FeatureStore): Promise<void> {
  const { kv } = await opened.resources.state();
  const tape = new Tape(kv);
  console.log(`one airport, one mean a read, as of ${AS_OF}; microseconds, p50 of ${READS} reads`);
  for (const size of SIZES) {
    const read = async (i: number): Promise<void> => {
      await opened.getOnlineFeatures({
        features: [`sizes:mean_${size}`],
        entityRows: [{ origin: AIRPORTS[i % AIRPORTS.length] }],
        asOf: AS_OF,
      });
    };
    const answers: Answer[] = [];
    for (const i of AIRPORTS.keys()) answers.push(await tape.record(() => read(i)));
    const answerOf = (i: number) => answers[i % answers.length] as Answer;
    const bareRead = (i: number) => kv.getMany(answerOf(i + 3).keys);
    const { ours, bare } = await takeTurns(READS, WARM_UP, read, bareRead);
    const replay = (i: number) => tape.replay(answerOf(i), () => read(i));
    const own = await takeTurns(READS, WARM_UP, replay, () => Promise.resolve());
    const cells = [
      size.padStart(4),
      `${ours.p50.toFixed(0)} µs`,
      `bare ${bare.p50.toFixed(0)} µs`,
      `own work ${own.ours.p50.toFixed(1)} µs`,
      `${answerOf(0).keys.length} keys`,
    ];
    console.log(`  ${cells.join('  ')}`);
  }
}

async function joinCost(opened: FeatureStore): Promise<void> {
  const began = performance.now();
  await using answer = await opened.getHistoricalFeatures({
    features: Object.keys(airportDelays.schema).map((name) => `airport_delays:${name}`),
    entityRows: {
      sql:
        `SELECT origin, date AS event_timestamp FROM read_parquet('${FLIGHTS}') ` +
        `USING SAMPLE reservoir(${LABELS} ROWS) REPEATABLE (7)`,
    },
  });
  await answer.toParquet(join(directory, 'training.parquet'));
  const seconds = (performance.now() - began) / 1_000;
  const labels = answer.metadata.rowCount.toLocaleString('en-US');
  console.log(`join of ${labels} labels, 12 windowed features: ${seconds.toFixed(1)} s`);
}
