/** The command `backfill` on a repository: what it prints, and what the next command finds. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Duckdb, openDuckdb } from '../../src/duckdb/index.ts';
import { openKvStore } from '../../src/kv/index.ts';
import { type CliResult, cli } from '../cli/support.ts';

const FEATURES = `
import { entity, featureView, parquetSource, topicSource } from 'freshet';
const schema = { customer_id: 'int64', ordered_at: 'timestamp', amount: 'float64' } as const;
export const orders = topicSource({
  name: 'orders', topic: 'orders', format: 'json', schema, timestampField: 'ordered_at',
  keyFields: ['customer_id'], partitions: 1,
});
export const order_history = parquetSource({
  name: 'order_history', path: 'history/orders', schema, timestampField: 'ordered_at',
});
export const last_order = featureView({
  name: 'last_order',
  entities: [entity({ name: 'customer', joinKeys: { customer_id: 'int64' } })],
  source: orders, batchSource: order_history, schema: { amount: 'float64' },
});
`;

describe('freshet backfill', { timeout: 60_000 }, () => {
  let folder = '';
  let duckdb: Duckdb;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-backfill-cli-'));
    duckdb = await openDuckdb();
    await writeFile(join(folder, 'freshet.yaml'), 'project: shop\n');
    await writeFile(join(folder, 'features.ts'), FEATURES);
    await mkdir(join(folder, 'exports'));
    // Orders of the days 1 to 6; one has no customer, one an amount that is no number.
    await duckdb.run(
      `COPY (SELECT CASE WHEN i <> 2 THEN i % 3 END AS customer, TIMESTAMP '2026-01-01' + to_days(i::INTEGER - 1) AS ts,
         CASE WHEN i = 5 THEN 'much' ELSE (i * 10)::VARCHAR END AS amount FROM range(1, 7) t(i))
       TO '${join(folder, 'exports/a.parquet')}' (FORMAT parquet)`,
    );
    expect((await run('apply')).code).toBe(0);
  });
  afterAll(async () => {
    await duckdb.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (...args: string[]): Promise<CliResult> => cli(args, { repo: folder });
  const exports = (): string => join(folder, 'exports');
  const mapped = (...args: string[]): string[] => [
    ...['backfill', 'last_order', exports(), '--map', 'customer_id=customer'],
    ...['--map', 'ordered_at=ts', ...args],
  ];

  it('says what it would do, and does nothing, in a dry run', async () => {
    const { stdout, code } = await run(...mapped('--dry-run'));
    expect(code).toBe(0);
    expect(stdout).toBe(
      `4 rows of 1 files would come into history; 0 files were there before.
2 rows cannot be held:
  ${exports()}/a.parquet row group 0 row 1: no value of type int64 in column "customer", but null
  ${exports()}/a.parquet row group 0 row 4: no value of type float64 in column "amount", but much
`,
    );
    expect((await run(...mapped('--dry-run', '--json'))).stdout).toContain('"rowsLoaded": 4');
  });

  it('refuses more bad rows than are allowed, with the place of the first', async () => {
    const { code, stderr } = await run(...mapped('--bad-rows-max', '1'));
    expect(code).toBe(1);
    expect(stderr).toContain('BACKFILL_REJECTED: 2 rows cannot be held, and 1 may be');
    expect(stderr).toContain(`where: file ${exports()}/a.parquet, row 1, column customer`);
  });

  it('says at once that an engine has the store, and what can be done', async () => {
    const kv = await openKvStore({ path: join(folder, 'data/online'), binding: 'rocksdb-native' });
    const { code, stderr } = await run(...mapped());
    await kv.close();
    expect(code).toBe(1);
    expect(stderr).toContain('STORE_LOCKED');
    expect(stderr).toContain('--offline');
  });

  it('loads the rows, sets the others aside, and says how they meet the topic', async () => {
    const bad = join(folder, 'bad.parquet');
    const { stdout, code } = await run(...mapped('--until', '2026-01-05', '--bad-rows', bad));
    expect(code).toBe(0);
    expect(stdout).toContain('3 rows of 1 files are in history; 0 files were there before.\n');
    expect(stdout).toContain('last_order: 2 values online are newer than before.\n');
    expect(stdout).toContain('1 rows are left to the topic.\n');
    expect(stdout).toContain(
      'last_order: files end at 2026-01-04T00:00:00.000Z; topic orders begins\n  partition 0: at offset 0, no row yet\n',
    );
    expect(stdout).toContain('  No gap and no overlap.\n');
    const [row] = await duckdb.query(`SELECT count(*)::INT AS n, max(value) AS v FROM '${bad}'`);
    expect(row).toEqual({ n: 2, v: 'much' });
    const got = await run('get', 'last_order', 'customer_id=1', '--json');
    expect(got.stdout).toContain('40');
    expect((await run(...mapped('--until', '2026-01-05'))).stdout).toContain(
      '0 rows of 0 files are in history; 1 files were there before.',
    );
  });

  it('tells a file that has changed, and replaces its rows where that is asked for', async () => {
    await duckdb.run(
      `COPY (SELECT 7 AS customer, TIMESTAMP '2026-01-01' AS ts, 1.5 AS amount)
       TO '${join(exports(), 'a.parquet')}' (FORMAT parquet)`,
    );
    const refused = await run(...mapped());
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('BACKFILL_FILE_CHANGED'),
    });
    expect((await run(...mapped('--changed', 'replace'))).code).toBe(0);
    const rows = ['--row', '{"customer_id":1}', '--row', '{"customer_id":7}'];
    const got = await run('get', 'last_order', ...rows, '--json');
    expect(JSON.parse(got.stdout).rows).toMatchObject([{ amount: null }, { amount: 1.5 }]);
  });
});
