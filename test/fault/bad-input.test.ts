/** What people and producers get wrong: each says code, place and next step, and costs nothing else. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { avroSchemaOf, createRowEncoder, subjectOf } from '../../src/codec/index.ts';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { FreshetError } from '../../src/errors.ts';
import {
  entity,
  type FeatureStore,
  featureView,
  openFeatureStore,
  parquetSource,
  topicSource,
} from '../../src/index.ts';
import { KvBatch, openKvStore } from '../../src/kv/index.ts';
import { META, metaKey } from '../../src/state/key-schema.ts';
import { spawnCli } from '../cli/support.ts';

const rider = entity({ name: 'rider', joinKeys: { rider: 'string' } });
const rides = topicSource({
  name: 'rides',
  topic: 'rides',
  schema: { at: 'timestamp', rider: 'string', fare: 'float64', note: 'string' },
  timestampField: 'at',
  keyFields: ['rider'],
  partitions: 1,
});
const clicks = topicSource({
  name: 'clicks',
  topic: 'clicks',
  format: 'json',
  schema: { at: 'timestamp', rider: 'string', count: 'int32' },
  timestampField: 'at',
  partitions: 1,
});
const history = parquetSource({
  name: 'history',
  path: 'history.parquet',
  schema: { at: 'timestamp', rider: 'string', score: 'float64' },
  timestampField: 'at',
});
const lastRide = featureView({
  name: 'last_ride',
  entities: [rider],
  source: rides,
  schema: { fare: 'float64' },
});
const lastClick = featureView({
  name: 'last_click',
  entities: [rider],
  source: clicks,
  schema: { count: 'int32' },
});
const score = featureView({
  name: 'score',
  entities: [rider],
  source: history,
  schema: { score: 'float64' },
});
const DEFINITIONS = [lastRide, lastClick, score];
const CONFIG = { project: 'bad' };
const SCHEMA_ID = 1;
const AT = '2026-01-01T00:00:00Z';

let root = '';
let folders = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'freshet-bad-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function newFolder(): Promise<string> {
  const folder = join(root, String(++folders));
  await mkdir(folder);
  return folder;
}

function open(directory: string, config: object = CONFIG): Promise<FeatureStore> {
  return openFeatureStore({ directory, definitions: DEFINITIONS, config });
}

/** What was thrown, which must have a place and a next step. */
async function refusal(work: () => Promise<unknown> | unknown): Promise<FreshetError> {
  try {
    await work();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(FreshetError);
    expect((thrown as FreshetError).next).toMatch(/\S{3,}.*[.`?]$/);
    return thrown as FreshetError;
  }
  throw new Error('nothing was refused');
}

describe('a record that is no row', { timeout: 60_000 }, () => {
  const encoder = createRowEncoder({ source: rides, schemaId: SCHEMA_ID });
  const avro = (row: object): Uint8Array =>
    Buffer.from(encoder.encode({ at: AT, rider: 'x', fare: 1, note: '', ...row }));
  const json = (row: unknown): Uint8Array => Buffer.from(JSON.stringify(row));
  /** The encoder refuses what a careless producer sends, so such rows have a schema of less rules. */
  const LOOSE = topicSource({
    name: 'rides',
    topic: 'rides',
    schema: {
      at: 'timestamp',
      rider: 'string',
      fare: 'float64',
      note: 'string',
      made: 'timestamp',
    },
    timestampField: 'made',
  });
  const loose = createRowEncoder({ source: LOOSE, schemaId: 2 });

  const BAD: readonly [string, string, 'rides' | 'clicks', Uint8Array | null][] = [
    ['without a value', 'ROW_EMPTY', 'rides', null],
    ['with an unknown schema id', 'SCHEMA_ID_UNKNOWN', 'rides', withId(avro({}), 4_711)],
    ['without the framing', 'ROW_UNDECODABLE', 'rides', Buffer.from('{"at":1}')],
    ['cut off in its schema id', 'ROW_TRUNCATED', 'rides', Buffer.from([0, 0, 0])],
    ['cut off in its Avro', 'ROW_TRUNCATED', 'rides', avro({ note: 'long' }).subarray(0, -3)],
    [
      'with bytes behind its Avro',
      'ROW_UNDECODABLE',
      'rides',
      Buffer.concat([avro({}), Buffer.from([1, 2])]),
    ],
    [
      'without a join key',
      'ROW_KEY_NULL',
      'rides',
      loose.encode({ made: AT, at: AT, rider: null }),
    ],
    ['without a time', 'ROW_TIME_NULL', 'rides', loose.encode({ made: AT, at: null, rider: 'x' })],
    ['with an absurd time', 'ROW_TIME_ABSURD', 'rides', avro({ at: '2200-01-01T00:00:00Z' })],
    ['of ten megabytes', 'ROW_TOO_LARGE', 'rides', avro({ note: 'x'.repeat(10_000_000) })],
    ['of a wrong type', 'ROW_TYPE', 'clicks', json({ at: AT, rider: 'x', count: 'many' })],
    [
      'with a number that does not fit',
      'ROW_TYPE',
      'clicks',
      json({ at: AT, rider: 'x', count: 2 ** 31 }),
    ],
    ['that is no JSON', 'ROW_UNDECODABLE', 'clicks', Buffer.from('{"at":')],
    ['that is no object', 'ROW_UNDECODABLE', 'clicks', json([1])],
    ['with no time of a kind', 'ROW_TYPE', 'clicks', json({ at: 'noon', rider: 'x', count: 1 })],
    ['without a key in JSON', 'ROW_KEY_NULL', 'clicks', json({ at: AT, count: 1 })],
  ];

  let store: FeatureStore;
  beforeAll(async () => {
    store = await open(await newFolder());
    await store.apply();
    const schemas = await store.resources.schemas();
    expect((await schemas.latest(subjectOf('rides')))?.id).toBe(SCHEMA_ID);
    expect(await schemas.register('careless', avroSchemaOf(LOOSE))).toBe(2);
    const log = await store.resources.log();
    for (const [i, [, , topic, value]] of BAD.entries()) {
      const good =
        topic === 'rides'
          ? avro({ rider: `rider-${i}`, fare: i })
          : json({ at: AT, rider: `rider-${i}`, count: i });
      const key = Buffer.from('k');
      await log.append([
        { topic, key, value, headers: [['trace', Buffer.from(String(i))]] },
        { topic, key, value: good },
      ]);
    }
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
  }, 60_000);
  afterAll(() => store?.close());

  it.each(BAD.map(([what, code, topic, value], i) => ({ what, code, topic, value, i })))(
    '$what is a dead letter with $code, its place and its bytes',
    async ({ code, topic, value, i }) => {
      const letters = await lettersOf(store);
      const [letter, ...more] = letters.filter(
        ({ headers }) => headers[0]?.[0] === 'trace' && String(headers[0][1]) === String(i),
      );
      expect(more).toEqual([]);
      const offset = 2 * BAD.slice(0, i).filter((bad) => bad[2] === topic).length;
      expect(letter).toMatchObject({ code, topic, partition: 0, offset });
      expect(letter?.reason).not.toBe('');
      expect(String(letter?.key)).toBe('k');
      if (code === 'ROW_TOO_LARGE') {
        expect(letter?.truncatedBytes).toBe(value?.length);
        expect(letter?.value?.length).toBeLessThan(1_000_000);
      } else {
        expect(letter?.truncatedBytes).toBe(null);
        expect(letter?.value && Buffer.from(letter.value)).toEqual(value && Buffer.from(value));
      }
    },
  );

  it('costs no good row beside it, online or in history', async () => {
    for (const [view, feature, topic] of [
      ['last_ride', 'fare', 'rides'],
      ['last_click', 'count', 'clicks'],
    ] as const) {
      const good = BAD.flatMap((bad, i) => (bad[2] === topic ? [i] : []));
      const entityRows = good.map((i) => ({ rider: `rider-${i}` }));
      const answer = await store.getOnlineFeatures({
        features: [`${view}:${feature}`],
        entityRows,
      });
      expect(answer.toColumns().values[feature]).toEqual(good);
      const joined = await store.getHistoricalFeatures({
        features: [`${view}:${feature}`],
        entityRows: entityRows.map((row) => ({ ...row, event_timestamp: new Date(AT) })),
      });
      const rows = (await joined.toArray()) as Record<string, unknown>[];
      expect(rows.map((row) => row[feature])).toEqual(good);
      const segments = await store.segments(topic);
      expect(segments.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(good.length);
    }
  });

  it('is counted, and can be sent again unless it was cut short', async () => {
    const status = await store.status();
    const rejected = status.flatMap(({ partitions }) => partitions.map((p) => p.rejected));
    expect(rejected.reduce((sum, n) => sum + n, 0)).toBe(BAD.length);
    expect(await store.deadLetters.retry({ code: 'ROW_TOO_LARGE' })).toEqual({
      sent: 0,
      truncated: 1,
    });
  });
});

describe('a row that a producer would send', () => {
  it('is refused before it is in the log, the good ones are not', async () => {
    await using store = await open(await newFolder());
    await store.apply();
    await using producer = await store.producer(rides);
    const good = { at: AT, rider: 'a', fare: 1, note: '' };
    const { sent, rejects } = await producer.send([
      good,
      { ...good, fare: 'dear' as never },
      { ...good, rider: null },
      { ...good, at: null },
      { ...good, note: 'x'.repeat(10_000_000) },
      good,
    ]);
    expect(sent).toBe(2);
    expect(rejects.map(({ index, code }) => [index, code])).toEqual([
      [1, 'ROW_TYPE'],
      [2, 'ROW_KEY_NULL'],
      [3, 'ROW_TIME_NULL'],
      [4, 'ROW_TOO_LARGE'],
    ]);
    const [marks] = await (await store.resources.log()).watermarks([
      { topic: 'rides', partition: 0 },
    ]);
    expect(marks?.end).toBe(2);
  });
});

describe('a request', () => {
  it.each([
    ['an unknown feature', { features: ['last_ride:fair'] }, 'FEATURE_NOT_FOUND', 'fare'],
    ['an unknown view', { features: ['last_rid:fare'] }, 'FEATURE_VIEW_NOT_FOUND', 'last_ride'],
    ['an unknown service', { service: 'modl' }, 'FEATURE_SERVICE_NOT_FOUND', 'modl'],
  ])('for %s names the nearest, online and for training', async (_, what, code, said) => {
    await using store = await open(await newFolder());
    const online = await refusal(() =>
      store.getOnlineFeatures({ ...what, entityRows: [{ rider: 'a' }] } as never),
    );
    const historical = await refusal(() =>
      store.getHistoricalFeatures({
        ...what,
        entityRows: [{ rider: 'a', event_timestamp: new Date(AT) }],
      } as never),
    );
    for (const error of [online, historical]) {
      expect(error.code).toBe(code);
      expect(error.describe()).toContain(said);
    }
  });

  it('with a wrong join key says which one is meant, online and for training', async () => {
    await using store = await open(await newFolder());
    const features = ['last_ride:fare'];
    const online = await refusal(() =>
      store.getOnlineFeatures({ features, entityRows: [{ ridr: 'a' }] } as never),
    );
    const historical = await refusal(async () => {
      await store.getHistoricalFeatures({
        features,
        entityRows: [{ ridr: 'a', event_timestamp: new Date(AT) }],
      } as never);
    });
    for (const error of [online, historical]) {
      expect(error.code).toMatch(/^JOIN_KEY_(MISSING|UNKNOWN)$/);
      expect(error.describe()).toContain('rider');
    }
  });

  it('with a value of a wrong type is refused', async () => {
    await using store = await open(await newFolder());
    const error = await refusal(() =>
      store.getOnlineFeatures({
        features: ['last_ride:fare'],
        entityRows: [{ rider: { a: 1 } }],
      } as never),
    );
    expect(error.code).toBe('VALUE_TYPE');
    expect(error.describe()).toContain('rider');
  });
});

describe('a configuration', () => {
  it('with an unknown key names file, line and the nearest key', async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'freshet.yaml'), 'project: bad\nengine:\n  batchRecordMax: 5\n');
    const error = await refusal(() => openFeatureStore({ directory: folder, definitions: [] }));
    expect(error).toMatchObject({
      code: 'CONFIG_KEY_UNKNOWN',
      where: { file: 'freshet.yaml', line: 3, key: 'engine.batchRecordMax' },
    });
    expect(error.next).toContain('batchRecordsMax');
  });
});

describe('a Parquet file', () => {
  it('without a column is refused by column and file, and nothing is loaded', async () => {
    const folder = await newFolder();
    const file = join(folder, 'history.parquet');
    await using duckdb = await openDuckdb();
    const copy = (select: string): Promise<void> =>
      duckdb.run(`COPY (${select}) TO ${quoteLiteral(file)} (FORMAT parquet)`);
    await copy(`SELECT TIMESTAMP '2026-01-01' AS at, 'a' AS rider`);
    await using store = await open(folder);
    await store.apply();
    const range = { startTime: '2025-12-31', endTime: '2026-01-02' };
    const error = await refusal(() => store.materialize(range));
    expect(error.code).toBe('COLUMN_MISSING');
    expect(error.describe()).toContain('score');
    expect(error.describe()).toContain('history.parquet');
    expect(await store.checksum()).toEqual({});

    await copy(`SELECT TIMESTAMP '2026-01-01' AS at, 'a' AS rider, 1.5::DOUBLE AS score`);
    expect(await store.materialize(range)).toMatchObject([{ rowsWritten: 1 }]);
  });

  it('that is none is refused by its name', async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'history.parquet'), 'no parquet at all');
    await using store = await open(folder);
    await store.apply();
    const error = await refusal(() =>
      store.materialize({ startTime: '2025-12-31', endTime: '2026-01-02' }),
    );
    expect(error.code).toBe('PARQUET_INVALID');
    expect(error.describe()).toContain('history.parquet');
  });
});

describe('a second engine', { timeout: 60_000 }, () => {
  it('on the same folder, in another process, is told who is there, and reading goes on', async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'freshet.yaml'), 'project: bad\n');
    await writeFile(
      join(folder, 'features.ts'),
      `import { entity, featureView, topicSource } from 'freshet';
       const source = topicSource({ name: 'clicks', topic: 'clicks', format: 'json', timestampField: 'at',
         schema: { at: 'timestamp', rider: 'string', count: 'int32' }, partitions: 1 });
       export const view = featureView({ name: 'last_click', source, schema: { count: 'int32' },
         entities: [entity({ name: 'rider', joinKeys: { rider: 'string' } })] });`,
    );
    await using store = await openFeatureStore({ directory: folder, definitions: [lastClick] });
    await store.apply();
    await store.startEngine();
    const [second, reader] = await Promise.all(
      [
        ['run', '--until-caught-up', '--log', 'none', '--json'],
        ['get', 'last_click', 'rider=a', '--json'],
      ].map((args) => spawnCli(['-C', folder, ...args]).finished),
    );
    expect(second?.code).toBe(1);
    const { error } = JSON.parse(second?.stderr ?? '');
    expect(error).toMatchObject({ code: 'LOG_LOCKED' });
    expect(error.next).toContain('Stop the other process');
    expect(reader).toMatchObject({ code: 0 });
  });

  it('with a log of its own, but the same online store, is told so', async () => {
    const folder = await newFolder();
    await using first = await open(folder);
    await first.apply();
    await first.startEngine();
    await using second = await open(folder, {
      ...CONFIG,
      log: { type: 'embedded', path: 'log-2' },
    });
    const log = await second.resources.log();
    for (const topic of ['rides', 'clicks', 'bad.dead-letter']) {
      await log.createTopic({ topic, partitions: 1 });
    }
    const error = await refusal(() => second.startEngine());
    expect(error.code).toBe('STORE_LOCKED');
    expect(error.describe()).toContain('online');
  });
});

describe('what another version wrote', () => {
  it('is not touched: the online store', async () => {
    const folder = await newFolder();
    const path = join(folder, 'data/online');
    const kv = await openKvStore({ path, binding: 'rocksdb-native' });
    await kv.write(new KvBatch().put(metaKey(META.format), Buffer.from([200])));
    await kv.close();
    await using store = await open(folder);
    await store.apply();
    const starting = await refusal(() => store.startEngine());
    const reading = await refusal(() =>
      store.getOnlineFeatures({ features: ['last_ride:fare'], entityRows: [{ rider: 'a' }] }),
    );
    for (const error of [starting, reading]) {
      expect(error.code).toBe('STORE_VERSION');
      expect(error.message).toContain('version 200');
      expect(error.next).toContain('newer');
    }
  });

  it.each([
    ['a newer registry', '{"format": 99, "anything": true}', 'REGISTRY_VERSION'],
    ['a registry that is cut off', '{"format": 1, "definitions": [', 'REGISTRY_CORRUPT'],
    ['a registry that is something else', '{"format": 1, "project": 3}', 'REGISTRY_CORRUPT'],
    ['an empty registry file', '', 'REGISTRY_CORRUPT'],
  ])('is not touched: %s', async (_, text, code) => {
    const folder = await newFolder();
    await mkdir(join(folder, 'data'));
    const file = join(folder, 'data/registry.json');
    await writeFile(file, text);
    await using store = await open(folder);
    for (const work of [() => store.plan(), () => store.apply(), () => store.registry()]) {
      const error = await refusal(work);
      expect(error).toMatchObject({ code, where: { file } });
    }
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});

describe('processes that apply at once', { timeout: 60_000 }, () => {
  it('lose nothing: each ends well or says who was in its way, and the next finds all of it', async () => {
    const folder = await newFolder();
    expect((await spawnCli(['init', join(folder, 'shop')]).finished).code).toBe(0);
    const repo = join(folder, 'shop');
    const ended = await Promise.all(
      [1, 2, 3].map(() => spawnCli(['-C', repo, 'apply', '--json']).finished),
    );
    // One made everything, the others found it made, or were told that the log was still taken.
    const made = ended.filter(({ code }) => code === 0).map(({ stdout }) => JSON.parse(stdout));
    expect(made.filter((changes) => changes.length > 3)).toHaveLength(1);
    for (const { stderr } of ended.filter(({ code }) => code !== 0)) {
      expect(JSON.parse(stderr).error.code).toMatch(/^(LOG|REGISTRY)_LOCKED$/);
    }
    const again = await spawnCli(['-C', repo, 'apply', '--json']).finished;
    expect({ code: again.code, changes: JSON.parse(again.stdout) }).toEqual({
      code: 0,
      changes: [],
    });
    const { revision, topics } = JSON.parse(
      await readFile(join(repo, 'data/registry.json'), 'utf8'),
    );
    expect({ revision, topics }).toEqual({ revision: 1, topics: ['orders', 'shop.dead-letter'] });
  });
});

function withId(value: Uint8Array, id: number): Uint8Array {
  const copy = Buffer.from(value);
  copy.writeUInt32BE(id, 1);
  return copy;
}

async function lettersOf(store: FeatureStore) {
  const letters = [];
  for await (const letter of store.deadLetters.list()) letters.push(letter);
  return letters;
}
