/** Every command on one feature repository, in the order in which a person would use them. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { avroSchemaOf, createRowEncoder, subjectOf } from '../../src/codec/index.ts';
import { loadRepository } from '../../src/config/index.ts';
import { type Duckdb, openDuckdb } from '../../src/duckdb/index.ts';
import { openFeatureStore, topicSource } from '../../src/index.ts';
import { type CliResult, cli } from '../cli/support.ts';

const HOUR_MS = 3_600_000;
/** Batch history beside the stream of the template. */
const PROFILE = `
import { featureView, parquetSource } from 'freshet';
import { customer } from '../features.ts';

export const history = parquetSource({
  name: 'history', path: 'history/*.parquet', timestampField: 'seen_at',
  schema: { seen_at: 'timestamp', customer_id: 'int64', visits: 'int32' },
});
export const profile = featureView({
  name: 'profile', entities: [customer], source: history, schema: { visits: 'int32' },
  owner: 'team@example.com', tags: { tier: 'gold' },
});
`;

let folder = '';
let repo = '';
let duckdb: Duckdb;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-walk-'));
  repo = join(folder, 'shop');
  duckdb = await openDuckdb();
});
afterAll(async () => {
  await duckdb.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a feature repository from init to teardown', { timeout: 60_000 }, () => {
  it('is made by init', async () => {
    const { files } = await json(['init', repo, '--project', 'shop'], null);
    expect(files).toEqual(expect.arrayContaining(['features.ts', 'freshet.yaml', 'orders.ndjson']));
    for (const file of files) expect(existsSync(join(repo, file)), file).toBe(true);
    const again = await cli(['init', repo]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('INVALID_ARGUMENT') });
    await mkdir(join(repo, 'features'));
    await writeFile(join(repo, 'features/profile.ts'), PROFILE);
  });

  it('is planned without a change, and applied once', async () => {
    const planned = await json(['plan']);
    expect(planned.map(({ transition, name }: Named) => `${transition} ${name}`)).toEqual(
      expect.arrayContaining(['CREATE customer', 'CREATE last_order', 'CREATE profile']),
    );
    expect(await json(['list', 'views'])).toEqual([]);
    expect((await done(['plan'])).stdout).toContain('+ featureView last_order');
    expect(await json(['apply'])).toEqual(planned);
    expect(await json(['apply'])).toEqual([]);
    expect((await done(['apply'])).stdout).toBe('Applied; nothing had changed.\n');
    expect((await done(['plan'])).stdout).toBe('Nothing to change.\n');
  });

  it('lists and describes what is applied', async () => {
    const names = async (kind: string): Promise<string[]> =>
      (await json(['list', kind])).map(({ name }: Named) => name).sort();
    expect(await names('entities')).toEqual(['customer']);
    expect(await names('sources')).toEqual(['history', 'orders']);
    expect(await names('views')).toEqual(['basket', 'last_order', 'profile']);
    expect(await names('services')).toEqual(['next_order']);
    const { stdout } = await done(['describe', 'profile']);
    expect(stdout).toContain('team@example.com');
    expect(stdout).toMatch(/visits +int32/);
    const [view] = await json(['describe', 'last_order']);
    expect(view.usedBy).toEqual(
      expect.arrayContaining([{ kind: 'featureService', name: 'next_order' }]),
    );
    expect((await done(['list', 'views'])).stdout).toMatch(/^name +kind/);
  });

  it('takes rows of NDJSON, CSV and Parquet', async () => {
    expect(await json(['produce', 'orders', join(repo, 'orders.ndjson')])).toMatchObject({
      rowsSent: 60,
      rowsRejected: 0,
    });
    const csv = join(folder, 'more.csv');
    await writeFile(
      csv,
      `ordered_at,customer_id,amount,items,country\n${isoAgo(0.5)},101,10.5,2,DE\n${isoAgo(0.4)},102,,,\n`,
    );
    expect(await json(['produce', 'orders', csv])).toMatchObject({ rowsSent: 2 });
    const parquet = join(folder, 'more.parquet');
    await copyTo(
      parquet,
      `SELECT TIMESTAMP '${isoAgo(0.3)}' AS ordered_at, (200 + i)::BIGINT AS customer_id,
        i::DOUBLE AS amount, i::INT AS items, 'FR' AS country FROM range(1000) t(i)`,
    );
    expect((await done(['produce', 'orders', parquet])).stdout).toContain('1,000 rows sent');
  });

  it('refuses bad rows by their number, and takes the others', async () => {
    const file = join(folder, 'bad.ndjson');
    const good = { ordered_at: isoAgo(0.2), customer_id: 103, amount: 1, items: 1, country: 'DE' };
    const bad = [
      { ...good, items: 'two' },
      { ...good, customer_id: null },
      { ...good, items: 0.5 },
    ];
    await writeFile(file, [good, ...bad, good].map((row) => JSON.stringify(row)).join('\n'));
    const { code, stdout, stderr } = await cli(['produce', 'orders', file], { repo });
    expect(code).toBe(1);
    expect(stdout).toContain('2 rows sent to orders, 3 refused.');
    expect(stdout).toMatch(/row 2: ROW_TYPE: .*items/);
    expect(stdout).toMatch(/row 3: ROW_KEY_NULL/);
    expect(stderr).toContain('ROW_TYPE');
    // Nothing of it is sent, or the counts below would tell.
    const strict = await cli(['produce', 'orders', file, '--strict'], { repo });
    expect(strict).toMatchObject({ code: 1, stderr: expect.stringContaining('row 2') });
  });

  it('runs until it has caught up', async () => {
    expect(await json(['run', '--until-caught-up', '--log', 'none'])).toEqual({
      records: 1064,
      lag: 0,
    });
    expect((await done(['run', '--until-caught-up', '--log', 'none'])).stdout).toBe(
      '0 records applied; 0 behind the end of the log.\n',
    );
  });

  it('says where every partition stands', async () => {
    const [status] = await json(['status']);
    expect(status).toMatchObject({ topic: 'orders', segments: { rows: 1064 }, gaps: [] });
    const partitions: { applied: number; sealed: number; rejected: number }[] = status.partitions;
    expect(partitions.reduce((sum, { applied }) => sum + applied, 0)).toBe(1064);
    for (const { applied, sealed, rejected } of partitions) {
      expect({ sealed, rejected }).toEqual({ sealed: applied, rejected: 0 });
    }
    expect((await done(['status'])).stdout).toContain('orders: 1,064 rows in');
  });

  it('serves online values', async () => {
    const newest = (await readFile(join(repo, 'orders.ndjson'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ customer_id }) => customer_id === 7)
      .sort((a, b) => a.ordered_at.localeCompare(b.ordered_at))
      .at(-1);
    const { stdout } = await done(['get', 'next_order', 'customer_id=7']);
    expect(stdout).toMatch(new RegExp(`^customer_id=7\n.*amount +${newest.amount} `, 's'));
    const rows = ['--row', '{"customer_id":102}', '--row', '{"customer_id":99999}'];
    const answer = await json(['get', 'last_order', ...rows, '--full-names', '--receipt']);
    expect(JSON.stringify(answer)).toContain('last_order__amount');
    expect(JSON.stringify(answer)).toContain('NULL_VALUE');
    expect(JSON.stringify(answer)).toContain('NOT_FOUND');
    const [receipt] = answer.receipts.last_order;
    const told = (await done(['get', 'last_order', ...rows, '--receipt'])).stdout;
    expect(told).toContain(
      `receipt of last_order: orders partition ${receipt.partition}, applied below offset ${receipt.appliedOffset}, stream time 20`,
    );
    expect(told.match(/definition [0-9a-f]+$/gm)).toEqual([
      `definition ${receipt.fingerprint}`,
      `definition ${receipt.fingerprint}`,
    ]);
    expect((await done(['get', 'last_order', ...rows])).stdout).not.toContain('receipt');
    expect(await failed(['get', 'last_order:amont', 'customer_id=7'])).toMatchObject({
      code: 'FEATURE_NOT_FOUND',
    });
    expect(await failed(['get', 'last_order', 'custmer_id=7'])).toMatchObject({
      code: expect.stringMatching(/^JOIN_KEY_/),
    });
  });

  it('joins labels of CSV and Parquet into Parquet, CSV and Arrow', async () => {
    const csv = join(folder, 'labels.csv');
    const parquet = join(folder, 'labels.parquet');
    const labels = `SELECT (200 + i)::BIGINT AS customer_id, TIMESTAMP '${isoAgo(0)}' AS event_timestamp,
      i AS label FROM range(500) t(i)`;
    await copyTo(csv, labels, 'CSV, HEADER');
    await copyTo(parquet, labels);
    const outputs: [string, string, string][] = [
      [csv, 'a.parquet', 'read_parquet'],
      [parquet, 'b.csv', 'read_csv'],
    ];
    for (const [from, to, reader] of outputs) {
      const file = join(folder, to);
      const made = await json(['join', 'next_order', '-e', from, '-o', file]);
      expect(made).toEqual({ file, rows: 500 });
      const [sums] = await duckdb.query(
        `SELECT count(*)::INT AS n, sum(amount) AS amount, sum(label)::INT AS label FROM ${reader}('${file}')`,
      );
      expect(sums).toEqual({ n: 500, amount: 124_750, label: 124_750 });
    }
    const arrow = join(folder, 'c.arrow');
    await done(['join', 'next_order', '-e', parquet, '-o', arrow]);
    const table = tableFromIPC(await readFile(arrow));
    expect(table.numRows).toBe(500);
    expect(table.getChild('amount')?.get(499)).toBe(499);
    expect(await failed(['join', 'next_order', '-e', parquet, '-o', 'x.txt'])).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('prints a join, explains one, and joins all entities of a time', async () => {
    const sql = `SELECT 101 AS customer_id, TIMESTAMP '${isoAgo(0)}' AS event_timestamp`;
    const [row] = await json(['join', 'last_order:amount', '--sql', sql]);
    expect(row).toMatchObject({ customer_id: 101, amount: 10.5 });
    const before = sql.replace(isoAgo(0), isoAgo(2));
    expect(await json(['join', 'last_order:amount', '--sql', before])).toEqual([
      expect.objectContaining({ amount: null }),
    ]);
    const all = await done(['join', 'last_order', '--from', isoAgo(48), '--limit', '3']);
    // 1,064 rows, two of them of one customer at one time.
    expect(all.stdout).toMatch(/1,060 more; --out writes all\.\n$/);
    expect((await done(['join', 'last_order', '--sql', sql, '--explain'])).stdout).not.toBe('');
  });

  it('materializes batch history, and finds a late row in a file that changed', async () => {
    await mkdir(join(repo, 'history'));
    await writeHistory('one', [
      [1, 10, 48],
      [2, 20, 48],
    ]);
    const [range] = await json(['materialize', isoAgo(72), isoAgo(24)]);
    expect(range).toMatchObject({ view: 'profile', rowsRead: 2, rowsWritten: 2 });
    await writeHistory('one', [
      [1, 10, 48],
      [2, 20, 48],
      [3, 30, 47], // late: its time was materialized before the row was there
    ]);
    await writeHistory('two', [[1, 11, 2]]);
    const [incremental] = await json(['materialize-incremental']);
    expect(incremental).toMatchObject({ view: 'profile' });
    const visits = async (id: number): Promise<string> =>
      (await done(['get', 'profile:visits', `customer_id=${id}`])).stdout;
    expect(await visits(1)).toMatch(/visits +11 /);
    expect(await visits(2)).toMatch(/visits +20 /);
    expect(await visits(3)).toMatch(/visits +30 /);
    const [nothing] = await json(['materialize-incremental', '--views', 'profile']);
    expect(nothing).toMatchObject({ rowsWritten: 0 });
    expect(await failed(['materialize', isoAgo(1), isoAgo(2)])).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('inspects a view, a source and a file', async () => {
    const rows = await json(['inspect', 'last_order', '--limit', '5000']);
    expect(rows).toHaveLength(12 + 2 + 1000 + 1);
    expect(rows[0]).toMatchObject({ source: 'orders', eventTime: expect.any(String) });
    expect(await json(['inspect', 'profile'])).toHaveLength(3);
    const segments = await json(['inspect', 'orders']);
    expect(segments.length).toBeGreaterThan(0);
    const file = join(repo, 'data/offline/orders', segments[0].file.replace(/^.*\//, ''));
    const shown = await json(['inspect', file, '-n', '2']);
    expect(shown.rows).toHaveLength(2);
    expect(shown.columns.length).toBeGreaterThan(5);
    expect((await done(['inspect', file])).stdout).toContain('customer_id');
    expect(await failed(['inspect', 'gone.parquet'])).toMatchObject({ code: 'PARQUET_INVALID' });
  });

  it('replays to the same bytes, whatever it begins at', async () => {
    const before = await json(['checksum']);
    expect(before.map(({ view }: { view: string }) => view).sort()).toEqual([
      'last_order',
      'profile',
    ]);
    const dry = await json(['replay', '--from', 'earliest', '--dry-run']);
    expect(total(dry.plan)).toBe(1064);
    expect(dry).toMatchObject({ before: null, after: null, same: null });
    for (const from of ['earliest', '5', isoAgo(1)]) {
      const replayed = await json(['replay', '--from', from]);
      expect(replayed.same, from).toBe(true);
      expect(total(replayed.plan), from).toBeGreaterThan(1000);
    }
    expect(await json(['checksum'])).toEqual(before);
    const [status] = await json(['status']);
    expect(status.segments.rows).toBe(1064);
  });

  it('replays into stores of its own, and compares them with the live ones', async () => {
    const before = await json(['checksum']);
    const beside = join(folder, 'beside');
    const { same, after } = await json(['replay', '--from', 'earliest', '--into', beside]);
    expect(same).toBe(true);
    expect(Object.keys(after)).toEqual(['last_order']);
    expect(existsSync(join(beside, 'offline/orders'))).toBe(true);
    expect(await json(['checksum'])).toEqual(before);
    expect(await failed(['replay', '--from', '5', '--into', beside])).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('keeps rejected records, and takes them once their schema is there', async () => {
    await appendUnregistered();
    await done(['run', '--until-caught-up', '--log', 'none']);
    const letters = await json(['dlq', 'list']);
    expect(letters).toEqual([
      expect.objectContaining({ id: 0, code: 'SCHEMA_ID_UNKNOWN', topic: 'orders' }),
    ]);
    expect(await json(['dlq', 'list', '--code', 'ROW_TYPE'])).toEqual([]);
    expect((await done(['dlq', 'show', '0'])).stdout).toContain('SCHEMA_ID_UNKNOWN');
    await registerLate();
    expect(await json(['dlq', 'retry'])).toEqual({ sent: 1, truncated: 0 });
    expect(await json(['dlq', 'retry'])).toEqual({ sent: 0, truncated: 0 });
    await done(['run', '--until-caught-up', '--log', 'none']);
    expect((await done(['get', 'last_order:amount', 'customer_id=77'])).stdout).toMatch(
      /amount +7\.5 /,
    );
    expect(await json(['dlq', 'list'])).toHaveLength(1);
  });

  it('refuses a change that does not fit what is stored, and makes it when it is forced', async () => {
    const file = join(repo, 'features.ts');
    const text = await readFile(file, 'utf8');
    const land = `export const land = entity({ name: 'land', joinKeys: { country: 'string' } });\n`;
    await writeFile(
      file,
      `${text.replace('entities: [customer]', 'entities: [land]').replace('export const lastOrder', `${land}export const lastOrder`)}`,
    );
    expect((await done(['plan'])).stdout).toContain('breaks: joinKeys');
    const refused = await failed(['apply']);
    expect(refused).toMatchObject({ code: 'INCOMPATIBLE_CHANGE' });
    expect(refused.next).toContain('--force');
    expect(await failed(['run', '--until-caught-up', '--log', 'none'])).toMatchObject({
      code: 'DEFINITIONS_NOT_APPLIED',
    });
    await done(['apply', '--force']);
    const stored = await json(['checksum']);
    expect(stored.map(({ view }: { view: string }) => view)).toEqual(['profile']);
    await done(['replay', '--from', 'earliest']);
    expect((await done(['get', 'last_order:amount', 'country=FR'])).stdout).toMatch(/amount +\d/);
  });

  it('is gone after teardown, which asks first', async () => {
    expect(await failed(['teardown'])).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await json(['list', 'views'])).not.toEqual([]);
    const { topics } = await json(['teardown', '--yes']);
    expect(topics).toEqual(expect.arrayContaining(['orders', 'shop.dead-letter']));
    expect(await json(['list', 'views'])).toEqual([]);
    expect(await json(['checksum'])).toEqual([]);
    const planned = await json(['plan']);
    expect(planned.every(({ transition }: Named) => transition === 'CREATE')).toBe(true);
  });
});

interface Named {
  readonly name: string;
  readonly transition: string;
}

/** Fails with what the command said, unless it ended well. */
async function done(args: readonly string[], where: string | null = repo): Promise<CliResult> {
  const result = await cli(args, where === null ? {} : { repo: where });
  expect(result.code, `${args.join(' ')}\n${result.stderr}`).toBe(0);
  return result;
}

// biome-ignore lint/suspicious/noExplicitAny: each command's JSON is checked by its test.
async function json(args: readonly string[], where: string | null = repo): Promise<any> {
  return JSON.parse((await done([...args, '--json'], where)).stdout);
}

async function failed(args: readonly string[]): Promise<{ code: string; next: string }> {
  const { code, stdout, stderr } = await cli([...args, '--json'], { repo });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  return JSON.parse(stderr).error;
}

/** Hours before the start of the test, to the second. */
const START_MS = Date.now();
function isoAgo(hours: number): string {
  return `${new Date(START_MS - hours * HOUR_MS).toISOString().slice(0, 19)}Z`;
}

async function copyTo(file: string, query: string, format = 'PARQUET'): Promise<void> {
  await duckdb.run(`COPY (${query}) TO '${file}' (FORMAT ${format})`);
}

/** Rows of customer, visits and age in hours. */
async function writeHistory(
  name: string,
  rows: readonly (readonly [number, number, number])[],
): Promise<void> {
  const values = rows.map(([id, visits, h]) => `(TIMESTAMP '${isoAgo(h)}', ${id}, ${visits})`);
  await copyTo(
    join(repo, 'history', `${name}.parquet`),
    `SELECT seen_at, id::BIGINT AS customer_id, visits::INT AS visits
     FROM (VALUES ${values.join(', ')}) t(seen_at, id, visits)`,
  );
}

function total(plan: readonly { records: number }[]): number {
  return plan.reduce((sum, { records }) => sum + records, 0);
}

/** What a producer of the next version of the source sends: a column more. */
const NEXT = topicSource({
  name: 'orders',
  topic: 'orders',
  schema: { ordered_at: 'timestamp', customer_id: 'int64', amount: 'float64', coupon: 'string' },
  timestampField: 'ordered_at',
  keyFields: ['customer_id'],
});
const NEXT_SCHEMA_ID = 2;

async function appendUnregistered(): Promise<void> {
  await using store = await openStore();
  const encoder = createRowEncoder({ source: NEXT, schemaId: NEXT_SCHEMA_ID });
  const row = { ordered_at: isoAgo(0), customer_id: 77, amount: 7.5, coupon: 'x' };
  const log = await store.resources.log();
  await log.append([{ topic: 'orders', key: encoder.encodeKey(row), value: encoder.encode(row) }]);
}

async function registerLate(): Promise<void> {
  await using store = await openStore();
  const schemas = await store.resources.schemas();
  const id = await schemas.register(subjectOf('orders'), avroSchemaOf(NEXT));
  expect(id).toBe(NEXT_SCHEMA_ID);
}

async function openStore(): ReturnType<typeof openFeatureStore> {
  return openFeatureStore({ directory: repo, definitions: await loadRepository(repo) });
}
