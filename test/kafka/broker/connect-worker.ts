import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildService, freePort } from '../../../connectors/kafka-dev/child-service.ts';
import { JAVA_VERSION_MIN } from '../../../connectors/kafka-dev/dev-kafka.ts';
import { findJava, mavenJars } from '../../../connectors/kafka-dev/java-tools.ts';
import { KAFKA_VERSION } from '../../../connectors/kafka-dev/kafka-pom.ts';
import { LOG4J_PROPERTIES } from '../../../connectors/kafka-dev/server-properties.ts';
import { ROOT } from '../../rules/repository.ts';
import { brokers } from './support.ts';

/** Where the programs of a worker are. */
export interface ConnectPrograms {
  readonly java: string;
  readonly jars: string;
  /** The folder of a connector's jars; null for those of Kafka alone. */
  readonly plugin: string | null;
}

const CONNECT = ['connect-runtime', 'connect-file', 'connect-json', 'connect-transforms'];

/**
 * What a worker needs, or why it cannot run on this machine.
 * @param plugin a connector to have besides those of Kafka, `group:name:version`
 */
export async function findConnect(
  plugin?: string,
): Promise<ConnectPrograms | { readonly reason: string }> {
  const { env } = process;
  const java = await findJava(env, JAVA_VERSION_MIN);
  if (java === null) return { reason: `no Java ${JAVA_VERSION_MIN} or newer` };
  const artifacts = CONNECT.map((name) => `org.apache.kafka:${name}:${KAFKA_VERSION}`);
  const jars = await mavenJars(env, `kafka-connect-${KAFKA_VERSION}`, artifacts);
  const [, name, version] = plugin?.split(':') ?? [];
  const folder = plugin === undefined ? null : await mavenJars(env, `${name}-${version}`, [plugin]);
  if (jars === null || (plugin !== undefined && folder === null))
    return { reason: 'no Maven to fetch Connect with' };
  return { java, jars, plugin: folder };
}

/** A standalone worker with one of the configurations that are shipped. */
export class ConnectWorker {
  readonly #programs: ConnectPrograms;
  readonly #configuration: string;
  readonly #env: Readonly<Record<string, string>>;
  #folder = '';
  #service: ChildService | null = null;

  /** @param configuration a file of `connectors/connect`; `env` is what it asks for */
  constructor(
    programs: ConnectPrograms,
    configuration: string,
    env: Readonly<Record<string, string>>,
  ) {
    this.#programs = programs;
    this.#configuration = join(ROOT, 'connectors/connect', configuration);
    this.#env = env;
  }

  /** Until the connector and its task run; it goes on where it was. */
  async start(): Promise<void> {
    if (this.#folder === '') await this.#prepare();
    const url = `http://127.0.0.1:${await freePort()}`;
    const worker = await this.#write('worker.properties', [
      await readFile(join(ROOT, 'connectors/connect/worker.properties'), 'utf8'),
      // The last one of a name counts.
      `listeners=${url}`,
      `plugin.path=${join(this.#folder, 'plugins')}`,
    ]);
    const logging = await this.#write('log4j2.properties', [LOG4J_PROPERTIES]);
    const { java, jars } = this.#programs;
    const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    const classPath = ['-cp', join(jars, '*'), `-Dlog4j2.configurationFile=file:${logging}`];
    this.#service = await ChildService.start({
      name: 'Connect',
      command: java,
      args: [
        ...[...jvm, ...classPath, 'org.apache.kafka.connect.cli.ConnectStandalone'],
        ...[worker, this.#configuration],
      ],
      logFile: join(this.#folder, 'connect.log'),
      isReady: () => this.#runs(url),
      process: {
        env: {
          ...process.env,
          KAFKA_BROKERS: brokers.join(),
          CONNECT_OFFSETS_FILE: join(this.#folder, 'offsets'),
          ...this.#env,
        },
      },
    });
  }

  async stop(): Promise<void> {
    await this.#service?.stop();
    this.#service = null;
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #prepare(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'freshet-connect-'));
    const plugins = join(this.#folder, 'plugins');
    await mkdir(plugins);
    const { plugin } = this.#programs;
    if (plugin !== null) await symlink(plugin, join(plugins, 'connector'));
  }

  async #runs(url: string): Promise<boolean> {
    const { name } = JSON.parse(await readFile(this.#configuration, 'utf8')) as { name: string };
    const response = await fetch(`${url}/connectors/${name}/status`);
    const status = (await response.json()) as Partial<ConnectorStatus>;
    const states = [status.connector, ...(status.tasks ?? [])];
    return states.length === 2 && states.every((each) => each?.state === 'RUNNING');
  }

  async #write(name: string, lines: readonly string[]): Promise<string> {
    const path = join(this.#folder, name);
    await writeFile(path, `${lines.join('\n')}\n`);
    return path;
  }
}

interface ConnectorStatus {
  readonly connector: { readonly state: string };
  readonly tasks: readonly { readonly state: string }[];
}
