import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FreshetError } from '../../src/errors.ts';
import { ChildService, freePort } from './child-service.ts';
import { findJava, kafkaJars, runCommand } from './java-tools.ts';
import { LOG4J_PROPERTIES, serverProperties } from './server-properties.ts';

export interface DevKafkaOptions {
  /** Keeps topics and the broker's log. Default: a temporary folder, removed on stop. */
  readonly folder?: string;
  /** Default: a free port. */
  readonly port?: number;
  /** Default 384. */
  readonly heapMb?: number;
  /** Further broker settings by their Kafka names. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface DevKafka {
  /** `host:port` */
  readonly broker: string;
  readonly pid: number;
  readonly logFile: string;
  /** Ends the broker at once, as a power cut would, and starts it again on the same port and data. */
  crashAndRestart(): Promise<void>;
  /** Ends the broker in order, and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export const JAVA_VERSION_MIN = 17;
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg';

/**
 * A broker of Apache Kafka for development, in a Java process of its own. The jars come once from
 * Maven and stay in the user's cache folder.
 * @throws FreshetError DEV_SERVICE_FAILED without Java or jars, or when the broker does not start
 */
export async function startDevKafka(options: DevKafkaOptions = {}): Promise<DevKafka> {
  const env = options.env ?? process.env;
  const java = await findJava(env, JAVA_VERSION_MIN);
  if (java === null) {
    throw new FreshetError('DEV_SERVICE_FAILED', `there is no Java ${JAVA_VERSION_MIN} or newer`);
  }
  const jars = await kafkaJars(env);
  if (jars === null) {
    throw new FreshetError(
      'DEV_SERVICE_FAILED',
      'Kafka is not in the cache and Maven is not there',
    );
  }
  return launch(java, jars, options);
}

async function launch(java: string, jars: string, options: DevKafkaOptions): Promise<DevKafka> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'freshet-kafka-')));
  await mkdir(folder, { recursive: true });
  const port = options.port ?? (await freePort());
  const config = join(folder, 'server.properties');
  const logging = join(folder, 'log4j2.properties');
  const logFile = join(folder, 'broker.log');
  const { settings } = options;
  const broker = { port, controllerPort: await freePort(), dataFolder: join(folder, 'topics') };
  await writeFile(
    config,
    serverProperties(settings === undefined ? broker : { ...broker, settings }),
  );
  await writeFile(logging, LOG4J_PROPERTIES);
  const jvm = jvmArguments(options.heapMb ?? 384, logging, jars);

  const format = ['format', '--standalone', '--ignore-formatted', '-t', CLUSTER_ID, '-c', config];
  const formatted = await runCommand(java, [...jvm, 'kafka.tools.StorageTool', ...format]);
  if (formatted.exitCode !== 0) {
    throw new FreshetError(
      'DEV_SERVICE_FAILED',
      `Kafka's folder was not formatted:\n${formatted.output}`,
    );
  }
  const start = (): Promise<ChildService> =>
    ChildService.start({
      name: 'Kafka',
      command: java,
      args: [...jvm, 'kafka.Kafka', config],
      logFile,
      isReady: () => accepts(port),
    });
  let service = await start();
  const again = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    await service.stop(signal);
    service = await start();
  };
  return {
    broker: `127.0.0.1:${port}`,
    get pid() {
      return service.pid;
    },
    logFile,
    crashAndRestart: () => again('SIGKILL'),
    restart: () => again('SIGTERM'),
    stop: async () => {
      await service.stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Small and quick to start rather than fast: the first compiler only, one collector thread. */
function jvmArguments(heapMb: number, logging: string, jars: string): string[] {
  return [
    '-Xms128m',
    `-Xmx${heapMb}m`,
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=file:${logging}`,
    '-cp',
    join(jars, '*'),
  ];
}

/** The broker opens its port last, when topics and groups can be served. */
async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
