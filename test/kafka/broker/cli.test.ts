/** The commands on Kafka, each a process of its own beside the engine, which the embedded log cannot have. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cli, spawnCli } from '../../cli/support.ts';
import { Shops } from './shop.ts';
import { brokers, describeKafka, prefix, until } from './support.ts';

const PROJECT = `${prefix}cli`;
const shops = new Shops();

describeKafka('the commands on Kafka', () => {
  let folder = '';
  let repo = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-kafka-cli-'));
    repo = join(folder, 'shop');
    await cli(['init', repo, '--project', PROJECT]);
    const features = join(repo, 'features.ts');
    const text = await readFile(features, 'utf8');
    await writeFile(features, text.replace("topic: 'orders'", `topic: '${PROJECT}-orders'`));
    const config = [
      `project: ${PROJECT}`,
      `log: {type: kafka, brokers: [${brokers}], schemaRegistry: {url: '${await shops.registryUrl()}'}}`,
    ];
    await writeFile(join(repo, 'freshet.yaml'), `${config.join('\n')}\n`);
  });
  afterAll(async () => {
    await cli(['teardown', '--yes'], { repo });
    await rm(folder, { recursive: true, force: true });
    await shops.close();
  });

  it('produce, get and status work while the engine runs', async () => {
    expect(await cli(['apply'], { repo })).toMatchObject({ code: 0 });
    const engine = spawnCli(['run', '--log', 'none'], { repo });
    try {
      const file = join(repo, 'orders.ndjson');
      const produced = await cli(['produce', 'orders', file], { repo });
      expect(produced, produced.stderr).toMatchObject({ code: 0 });
      const rows = (await readFile(file, 'utf8')).trim().split('\n');
      await until(async () => {
        const { stdout } = await cli(['status', '--json'], { repo });
        const [source] = JSON.parse(stdout) as { partitions: { rows: number }[] }[];
        return source?.partitions.reduce((sum, p) => sum + p.rows, 0) === rows.length;
      });
      const got = await cli(['get', 'last_order:amount', 'customer_id=1', '--json'], { repo });
      expect(got, got.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('amount') });
    } finally {
      engine.child.kill('SIGINT');
    }
    expect(await engine.finished).toMatchObject({ code: 0 });
    const verified = await cli(['verify'], { repo });
    expect(verified, verified.stderr).toMatchObject({ code: 0 });
  });
});
