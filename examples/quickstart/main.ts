/**
 * The main job on real data: three million flights go into a log, the engine feeds the online store
 * and the Parquet segments, and both are read. Everything is in `data/` beside this file. Stopped
 * or killed at any point it goes on where it was; `--fresh` begins anew; with `--kafka` the log is
 * a real Kafka (place.ts).
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createOutput, formatCount } from '../../src/cli/output.ts';
import { type FeatureStore, FreshetError, openFeatureStore } from '../../src/index.ts';
import { produceRows, readRows, skipRows } from '../../src/producer/index.ts';
import * as definitions from './features.ts';
import { embeddedPlace, kafkaPlace, type Place, removeData } from './place.ts';

const { flights, airportStats, airportDelays, disruptions, delayModel } = definitions;
const FLIGHTS = fileURLToPath(
  new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url),
);
const LABELS = 100_000;

const { stdout, stderr } = process;
const color = stdout.isTTY === true && !process.env['NO_COLOR'];
const output = createOutput({ stdout, stderr, json: false, color, nowMs: () => performance.now() });
const { style } = output;

const onKafka = process.argv.includes('--kafka');
const startMs = performance.now();
let steps = 0;
await run().catch((thrown) => {
  output.error(thrown);
  process.exitCode = 1;
});

async function run(): Promise<void> {
  if (process.argv.includes('--fresh')) await removeData();
  if (onKafka) step('Start Kafka and a schema registry, or use those of the environment');
  const place = await (onKafka ? kafkaPlace() : embeddedPlace());
  try {
    await runOn(place);
  } finally {
    await place.close();
  }
  whereNext(place);
}

async function runOn({ directory, config }: Place): Promise<void> {
  const store = await openFeatureStore({
    directory,
    definitions: Object.values(definitions),
    config,
  });
  try {
    await apply(store);
    await produce(store);
    await runEngine(store);
    await readOnline(store);
    await makeTrainingSet(store);
    await compare(store);
  } finally {
    await store.close();
  }
}

async function apply(opened: FeatureStore): Promise<void> {
  step('Apply the definitions of features.ts');
  const changes = await opened.apply();
  for (const { kind, name } of changes) output.line(`   ${kind.padEnd(20)} ${name}`);
}

/**
 * An append to the embedded log is all there or not at all, so the log itself says how many rows it
 * has. On Kafka an append that was cut may be there in some partitions and not in others.
 */
async function produce(opened: FeatureStore): Promise<void> {
  step('Produce three million flights to the topic');
  const before = endOf(await opened.status());
  const duckdb = await opened.resources.duckdb();
  const reader = await readRows({
    input: { format: 'parquet', path: FLIGHTS },
    source: flights,
    duckdb,
  });
  const total = reader.rowsTotal ?? 0;
  const began = performance.now();
  if (onKafka && before > 0 && before !== total) {
    const what = `the topic ${flights.topic} has ${formatCount(before)} records, not the ${formatCount(total)} flights`;
    throw new FreshetError('TOPIC_MISMATCH', what, {
      where: { topic: flights.topic },
      next: 'Delete the topic and examples/quickstart/data, and start again.',
    });
  }
  if (before < total) {
    const bar = output.progress('   produce', total, before);
    await using producer = await opened.producer(flights);
    await produceRows({
      producer,
      reader: skipRows(reader, before),
      strict: true,
      onProgress: ({ rowsSent }) => bar.update(before + rowsSent),
    }).finally(() => bar.stop());
  }
  tell(`${formatCount(total)} rows are in the log`, total - before, began);
}

async function runEngine(opened: FeatureStore): Promise<void> {
  step('Run the engine: log → online store and Parquet segments');
  const before = appliedOf(await opened.status());
  const total = endOf(await opened.status());
  const began = performance.now();
  const engine = await opened.startEngine();
  const bar = output.progress('   run    ', total, before);
  const timer = setInterval(() => bar.update(appliedOf([{ partitions: engine.status() }])), 200);
  try {
    await engine.caughtUp();
    bar.update(total);
    await opened.stopEngine();
  } finally {
    clearInterval(timer);
    bar.stop();
  }
  const [status] = await opened.status();
  const { files = 0, bytes = 0 } = status?.segments ?? {};
  tell(
    `both stores have ${formatCount(total)} rows; ${files} segments, ${formatCount(Math.round(bytes / 1e6))} MB`,
    total - before,
    began,
  );
}

async function readOnline(opened: FeatureStore): Promise<void> {
  step('Read a few airports online: the newest flight, and the week until then');
  const entityRows = ['ATL', 'DEN', 'JFK', 'QQQ'].map((origin) => ({ origin }));
  const answer = await opened.getOnlineFeatures({
    features: [
      airportStats.select('delay', 'destination'),
      airportDelays.select('flights_1h', 'delay_mean_24h', 'delay_p95_7d', 'late_share_7d'),
      disruptions.select('worst_delay'),
    ],
    entityRows,
    asOf: await streamTime(opened),
  });
  output.table(
    answer.rows.map((row, i) => ({
      ...mapValues(row, (value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value)),
      status: answer.statuses[i]?.delay ?? null,
    })),
  );
}

/** The flights are of 2001: windows are read at the time of the last one. */
async function streamTime(opened: FeatureStore): Promise<Date> {
  const [source] = await opened.status();
  const times = source?.partitions.map(({ streamTimeUs }) => streamTimeUs ?? 0) ?? [];
  return new Date(Math.max(...times) / 1_000);
}

async function makeTrainingSet(opened: FeatureStore): Promise<void> {
  step(`Join ${formatCount(LABELS)} flights with what was known of both airports before departure`);
  const began = performance.now();
  await using training = await opened.getHistoricalFeatures({
    service: delayModel,
    fullFeatureNames: true,
    strictlyBefore: true,
    entityRows: {
      sql:
        'SELECT origin, destination, date AS event_timestamp, delay AS label_delay ' +
        `FROM read_parquet('${FLIGHTS}') USING SAMPLE reservoir(${LABELS} ROWS) REPEATABLE (7)`,
    },
  });
  const file = join(opened.config.offlineStore.path, '..', 'training.parquet');
  await training.toParquet(file);
  const rows: Record<string, string | number | bigint | null>[] = [];
  for await (const row of training) {
    if (rows.length === 5) break;
    const cells = row as unknown as Record<string, number>;
    const time = new Date((cells['event_timestamp'] as number) / 1_000).toISOString();
    rows.push({ ...cells, event_timestamp: time });
  }
  output.table(rows);
  tell(`training.parquet has ${formatCount(training.metadata.rowCount)} rows`, LABELS, began);
}

/** The promise, checked: what is served at a time is what a join at that time gives. */
async function compare(opened: FeatureStore): Promise<void> {
  step('Compare both stores: every airport, online and joined at the same time');
  const origins: string[] = [];
  for await (const { entityKey } of opened.inspectView(airportStats.name)) {
    origins.push(String(entityKey['origin']));
  }
  const features = [airportStats, airportDelays, disruptions] as const;
  const asOf = await streamTime(opened);
  const online = await opened.getOnlineFeatures({
    features,
    fullFeatureNames: true,
    asOf,
    entityRows: origins.map((origin) => ({ origin })),
  });
  await using joined = await opened.getHistoricalFeatures({
    features,
    fullFeatureNames: true,
    entityRows: origins.map((origin) => ({ origin, event_timestamp: asOf })),
  });
  const history = await joined.toArray();
  let values = 0;
  let different = 0;
  for (const [i, row] of online.rows.entries()) {
    for (const [name, value] of Object.entries(row)) {
      values++;
      if (!Object.is(value, (history[i] as unknown as typeof row)[name as never])) different++;
    }
  }
  const text = `${origins.length} airports, ${formatCount(values)} values, ${formatCount(different)} differences`;
  output.line(`   ${different === 0 ? style.green(text) : style.red(text)}`);
  if (different > 0) process.exitCode = 1;
}

function mapValues<V, W>(
  row: Readonly<Record<string, V>>,
  map: (value: V) => W,
): Record<string, W> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, map(value)]));
}

function whereNext({ shownAs, logRemains }: Place): void {
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const freshet = `npm run freshet -- -C ${shownAs}`;
  const commands: [command: string, what: string][] = [
    [`${freshet} get delay_model origin=ATL destination=JFK --full-names`, 'a feature vector'],
    [`${freshet} inspect flights`, 'the segments'],
  ];
  if (logRemains) {
    commands.push([`${freshet} status`, 'where every partition stands']);
    commands.push([`${freshet} replay --from earliest`, 'rebuild the store, to the same bytes']);
  } else {
    commands.push(['npm run freshet -- dev kafka', 'a broker that stays']);
  }
  commands.push(['npm run freshet -- init shop', 'a repository of your own']);
  output.line();
  output.line(style.bold(`Done in ${seconds} s. Where to look next`));
  for (const [command, what] of commands) {
    output.line(`  ${command}`);
    output.line(style.dim(`      ${what}`));
  }
}

function step(title: string): void {
  steps++;
  output.line();
  output.line(style.bold(`${steps}. ${title}`));
}

function tell(what: string, rows: number, sinceMs: number): void {
  const seconds = (performance.now() - sinceMs) / 1_000;
  const pace = rows === 0 ? 'as before' : `${formatCount(Math.round(rows / seconds))} rows/s`;
  output.line(`   ${what}  ${style.dim(`${pace}, ${seconds.toFixed(1)} s`)}`);
}

type Partitions = readonly {
  readonly partitions: readonly { readonly applied: number; readonly end: number }[];
}[];

function appliedOf(sources: Partitions): number {
  return sources.flatMap((s) => s.partitions).reduce((sum, { applied }) => sum + applied, 0);
}

function endOf(sources: Partitions): number {
  return sources.flatMap((s) => s.partitions).reduce((sum, { end }) => sum + end, 0);
}
