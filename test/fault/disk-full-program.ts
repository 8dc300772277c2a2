/**
 * What `disk-full.test.ts` runs where the folder of the segments is a disk of its own, and small:
 * the disk is filled, the engine meets that twice, and space is made. Prints what it saw as JSON.
 */
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { FreshetError } from '../../src/errors.ts';
import { entity, featureView, openFeatureStore, topicSource } from '../../src/index.ts';
import { channels } from '../../src/telemetry/index.ts';

const [directory, rowCount] = process.argv.slice(2) as [string, string];
const offline = join(directory, 'offline');
const filler = join(offline, 'filler');

const source = topicSource({
  name: 'events',
  topic: 'events',
  schema: { at: 'timestamp', key: 'int64' },
  timestampField: 'at',
  partitions: 1,
});
const view = featureView({
  name: 'newest',
  source,
  entities: [entity({ name: 'thing', joinKeys: { key: 'int64' } })],
  schema: { at: 'timestamp' },
});
const config = { project: 'full', offlineStore: { path: offline } };
const openStore = () => openFeatureStore({ directory, definitions: [view], config });

const stopped = await fillAndStop();
const retry = await fillAndMakeSpace();
process.stdout.write(JSON.stringify({ stopped, retry, ...(await outcome()) }));

/** The engine reads everything and cannot publish it: stopping says so. */
async function fillAndStop(): Promise<unknown> {
  const store = await openStore();
  try {
    await store.apply();
    await using producer = await store.producer(source);
    const rows = Array.from({ length: Number(rowCount) }, (_, key) => ({ at: new Date(key), key }));
    await producer.send(rows);
    await fill();
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
    return null;
  } catch (thrown) {
    return thrown instanceof FreshetError ? thrown.toJSON() : String(thrown);
  } finally {
    await store.close().catch(() => {}); // it is the same failure
  }
}

/** The engine tries again until there is space. */
async function fillAndMakeSpace(): Promise<unknown> {
  await using store = await openStore();
  const failed = new Promise<unknown>((resolve) => {
    channels.retry.subscribe(resolve);
  });
  const engine = await store.startEngine();
  const event = await Promise.race([failed, engine.finished.then(() => failed)]);
  await rm(filler);
  await engine.caughtUp();
  await store.stopEngine();
  return event;
}

async function outcome(): Promise<object> {
  await using store = await openStore();
  await using duckdb = await openDuckdb();
  const files = quoteLiteral(join(offline, 'events/*.parquet'));
  const [history] = await duckdb.query(
    `SELECT count(*)::INT AS rows, count(DISTINCT key)::INT AS keys FROM read_parquet(${files})`,
  );
  const segments = await store.segments('events');
  const ranges = segments.map(({ startOffset, endOffset }) => [startOffset, endOffset]);
  const online = (await store.checksum())['newest']?.rows;
  return { history, ranges, online };
}

/** Until nothing more goes on the disk. */
async function fill(): Promise<void> {
  const file = await open(filler, 'w');
  try {
    for (;;) await file.write(Buffer.alloc(1_024));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
  } finally {
    await file.close();
  }
}
