/**
 * Where the tests of Kafka find a broker and a registry: what the environment names, else containers,
 * else Java processes of their own. A rung that is chosen and then fails is a failure, not a skip.
 */

import { JAVA_VERSION_MIN } from '../../../connectors/kafka-dev/dev-kafka.ts';
import { REGISTRY_JAVA_VERSION_MIN } from '../../../connectors/kafka-dev/dev-registry.ts';
import { startDevKafka, startDevRegistry } from '../../../connectors/kafka-dev/index.ts';
import { apicurioFolder, findJava, kafkaJars } from '../../../connectors/kafka-dev/java-tools.ts';
import { startKafkaContainer, startRegistryContainer, whyNoContainers } from './containers.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Service {
  readonly via: 'environment' | 'container' | 'java';
  /** `host:port,…` of brokers, the URL of a registry. */
  readonly address: string;
  stop(): Promise<void>;
}

export interface NoService {
  readonly via: 'none';
  /** Why each rung could not be taken. */
  readonly reason: string;
}

export async function chooseKafka(env: Environment): Promise<Service | NoService> {
  const named = env['KAFKA_BROKERS'];
  if (named) return external(named);
  return firstOf(env, 'KAFKA_BROKERS is not set', startKafkaContainer, async () => {
    if ((await findJava(env, JAVA_VERSION_MIN)) === null)
      return `no Java ${JAVA_VERSION_MIN} or newer`;
    if ((await kafkaJars(env)) === null) return "no Maven to fetch Kafka's jars with";
    const { broker, stop } = await startDevKafka({ env });
    return { via: 'java', address: broker, stop };
  });
}

export async function chooseRegistry(env: Environment): Promise<Service | NoService> {
  const named = env['SCHEMA_REGISTRY_URL'];
  if (named) return external(named);
  return firstOf(env, 'SCHEMA_REGISTRY_URL is not set', startRegistryContainer, async () => {
    if ((await findJava(env, REGISTRY_JAVA_VERSION_MIN)) === null) {
      return `no Java ${REGISTRY_JAVA_VERSION_MIN} or newer`;
    }
    if ((await apicurioFolder(env)) === null) return 'no Maven to fetch Apicurio with';
    const { url, stop } = await startDevRegistry(env);
    return { via: 'java', address: url, stop };
  });
}

async function firstOf(
  env: Environment,
  unset: string,
  startContainer: () => Promise<Omit<Service, 'via'>>,
  startJava: () => Promise<Service | string>,
): Promise<Service | NoService> {
  const reasons = [unset];
  const noContainers =
    env['FRESHET_KAFKA'] === 'java' ? 'FRESHET_KAFKA is java' : await whyNoContainers();
  if (noContainers === null) return { via: 'container', ...(await startContainer()) };
  reasons.push(noContainers);
  const started = await startJava();
  if (typeof started !== 'string') return started;
  return { via: 'none', reason: [...reasons, started].join('; ') };
}

function external(address: string): Service {
  return { via: 'environment', address, stop: async () => {} };
}
