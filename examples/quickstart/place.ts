import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDevKafka } from '../../connectors/kafka-dev/index.ts';
import {
  openEmbeddedSchemaRegistry,
  type SchemaRegistryServer,
  serveSchemaRegistry,
} from '../../connectors/schema-registry/index.ts';
import type { ConfigOverrides } from '../../src/index.ts';

const HERE = process.env['FRESHET_QUICKSTART_DIR'] ?? fileURLToPath(new URL('.', import.meta.url));

/** Where the quickstart keeps its data, and the log it uses. */
export interface Place {
  /** Of the feature repository. */
  readonly directory: string;
  readonly config: ConfigOverrides;
  /** The same folder, as a person types it after `-C`. */
  readonly shownAs: string;
  /** Whether the log can be read when the run is over. */
  readonly logRemains: boolean;
  close(): Promise<void>;
}

/** Beside the definitions, on the embedded log: nothing else runs. */
export async function embeddedPlace(): Promise<Place> {
  return {
    directory: HERE,
    config: { project: 'quickstart' },
    shownAs: 'examples/quickstart',
    logRemains: true,
    close: async () => undefined,
  };
}

/**
 * A repository of its own in `data/kafka`, on the broker of KAFKA_BROKERS and the registry of
 * SCHEMA_REGISTRY_URL. What is not set is started and ends with the run; with a broker of its own
 * every run begins anew.
 * @throws FreshetError DEV_SERVICE_FAILED when a broker has to be started without Java or Maven
 */
export async function kafkaPlace(): Promise<Place> {
  const directory = join(HERE, 'data', 'kafka');
  const given = process.env['KAFKA_BROKERS'];
  if (!given) await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });

  const kafka = given ? null : await startDevKafka({ folder: join(directory, 'broker') });
  try {
    const registry = process.env['SCHEMA_REGISTRY_URL'] ? null : await startRegistry(directory);
    const config: ConfigOverrides = {
      project: 'quickstart',
      log: {
        type: 'kafka',
        brokers: given?.split(',') ?? [kafka?.broker ?? ''],
        schemaRegistry: { url: registry?.url ?? (process.env['SCHEMA_REGISTRY_URL'] as string) },
      },
    };
    await writeRepository(directory, config);
    const close = async (): Promise<void> => {
      await registry?.close();
      await kafka?.stop();
    };
    const shownAs = 'examples/quickstart/data/kafka';
    return { directory, config, shownAs, logRemains: kafka === null, close };
  } catch (thrown) {
    await kafka?.stop();
    throw thrown;
  }
}

export async function removeData(): Promise<void> {
  await rm(join(HERE, 'data'), { recursive: true, force: true });
}

async function startRegistry(directory: string): Promise<SchemaRegistryServer> {
  const registry = await openEmbeddedSchemaRegistry({ path: join(directory, 'schemas.json') });
  return serveSchemaRegistry({ registry });
}

/** For the commands that are tried on it afterwards. YAML takes JSON as it is. */
async function writeRepository(directory: string, config: ConfigOverrides): Promise<void> {
  await writeFile(join(directory, 'freshet.yaml'), `${JSON.stringify(config, null, 2)}\n`);
  const definitions = fileURLToPath(new URL('./features.ts', import.meta.url));
  const exported = `export * from ${JSON.stringify(definitions)};\n`;
  await writeFile(join(directory, 'features.ts'), exported);
}
