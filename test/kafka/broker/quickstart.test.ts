import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { brokers, describeKafka } from './support.ts';

const PROGRAM = fileURLToPath(new URL('../../../examples/quickstart/main.ts', import.meta.url));
const RUN_MS_MAX = 240_000;

describeKafka('the quickstart on Kafka', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-quickstart-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it(
    'serves and trains on three million flights, without a difference',
    async () => {
      const first = await quickstart(directory);
      expect(first).toContain('3,000,000 rows are in the log');
      expect(first).toMatch(/229 airports, [\d,]+ values, 0 differences/);
      const again = await quickstart(directory);
      expect(again).toContain('3,000,000 rows are in the log  as before');
      expect(again).toContain('0 differences');
    },
    RUN_MS_MAX,
  );
});

/** What it prints; on the broker of this run, with a schema registry of its own. */
async function quickstart(directory: string): Promise<string> {
  const { SCHEMA_REGISTRY_URL: _, ...inherited } = process.env;
  const env = {
    ...inherited,
    FRESHET_QUICKSTART_DIR: directory,
    KAFKA_BROKERS: brokers.join(','),
  };
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, '--kafka'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  return text(child.stdout);
}
