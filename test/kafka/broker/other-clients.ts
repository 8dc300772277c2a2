/** Clients of Kafka that are not ours: Confluent's for Python, and Kafka's own tools in Java. */
import { join } from 'node:path';
import { JAVA_VERSION_MIN } from '../../../connectors/kafka-dev/dev-kafka.ts';
import {
  cached,
  findJava,
  mavenJars,
  runCommand,
} from '../../../connectors/kafka-dev/java-tools.ts';
import { KAFKA_VERSION } from '../../../connectors/kafka-dev/kafka-pom.ts';
import { ROOT } from '../../rules/repository.ts';
import { runProgram } from './run-program.ts';

/** Runs one program with what it is to read; answers with what it printed. @throws Error when it fails */
export type Client = (args: readonly string[], input?: string) => Promise<string>;

/** A client, or why there is none on this machine. */
export type FoundClient = { readonly run: Client } | { readonly reason: string };

const CONFLUENT_KAFKA = 'confluent-kafka[avro]==2.16.1';

/** `confluent_client.py`, with its package from the cache, else by pip. */
export async function findConfluentPython(): Promise<FoundClient> {
  let reason = '';
  const folder = await cached(process.env, 'confluent-kafka-2.16.1', async (partial) => {
    const venv = await runCommand('python3', ['-m', 'venv', partial]);
    if (venv.exitCode !== 0) {
      reason = venv.exitCode === null ? 'no python3' : 'python3 has no venv';
      return false;
    }
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', CONFLUENT_KAFKA];
    const { exitCode, output } = await runCommand(join(partial, 'bin', 'python'), pip);
    if (exitCode !== 0) reason = `pip: ${output.trim().split('\n').at(-1)}`;
    return exitCode === 0;
  });
  if (folder === null) return { reason };
  const program = join(ROOT, 'test/kafka/broker/confluent_client.py');
  return {
    run: (args, input) =>
      runProgram(join(folder, 'bin', 'python'), [program, ...args], { input: input ?? '' }),
  };
}

/** A main class of Kafka's tools, by its name in `org.apache.kafka.tools`. */
export async function findKafkaTool(name: string): Promise<FoundClient> {
  const java = await findJava(process.env, JAVA_VERSION_MIN);
  if (java === null) return { reason: `no Java ${JAVA_VERSION_MIN} or newer` };
  const artifact = `org.apache.kafka:kafka-tools:${KAFKA_VERSION}`;
  const jars = await mavenJars(process.env, `kafka-tools-${KAFKA_VERSION}`, [artifact]);
  if (jars === null) return { reason: "no Maven to fetch Kafka's tools with" };
  const jvm = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx128m', '-cp', join(jars, '*')];
  return {
    run: (args, input) =>
      runProgram(java, [...jvm, `org.apache.kafka.tools.${name}`, ...args], { input: input ?? '' }),
  };
}
