import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Bind, Context } from '../context.ts';

/** `dev kafka`: a broker and a schema registry for development, without Docker. */
export function devCommands(program: Command, bind: Bind): void {
  const dev = program
    .command('dev')
    .description('services for development on this machine')
    .addHelpText('after', '\nExamples:\n  $ freshet dev kafka');
  dev
    .command('kafka')
    .description('start Apache Kafka and a schema registry until Ctrl-C; needs Java 17 and Maven')
    .addHelpText('after', '\nExamples:\n  $ freshet dev kafka')
    .action(bind(kafka));
}

async function kafka({ output, signal }: Context): Promise<void> {
  const { startDevKafka } = await import('../../../connectors/kafka-dev/index.ts');
  const schemas = await import('../../../connectors/schema-registry/index.ts');
  const folder = await mkdtemp(join(tmpdir(), 'freshet-dev-'));
  output.line(output.style.dim('Starting; the first time Maven fetches the broker…'));
  const kafka = await startDevKafka({ folder: join(folder, 'kafka') });
  try {
    const registry = await schemas.openEmbeddedSchemaRegistry({
      path: join(folder, 'schemas.json'),
    });
    await using server = await schemas.serveSchemaRegistry({ registry });
    output.result({ brokers: [kafka.broker], schemaRegistry: server.url }, () =>
      [
        'In freshet.yaml:',
        '',
        'log:',
        '  type: kafka',
        `  brokers: ["${kafka.broker}"]`,
        `  schemaRegistry: { url: "${server.url}" }`,
        '',
        'Ctrl-C stops both; their data goes with them.',
      ].join('\n'),
    );
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await kafka.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
