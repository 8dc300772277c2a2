/** Kafka and a registry in containers, where a container runtime answers. */
import { freePort } from '../../../connectors/kafka-dev/child-service.ts';

const KAFKA_IMAGE = 'apache/kafka:4.3.1';
const REGISTRY_IMAGE = 'apicurio/apicurio-registry:3.3.3';
const REGISTRY_PORT = 8080;
const START_MS_MAX = 120_000;

interface Started {
  readonly address: string;
  stop(): Promise<void>;
}

/** Null when containers can be started. A client that is installed says nothing: the daemon must answer. */
export async function whyNoContainers(): Promise<string | null> {
  try {
    const { getContainerRuntimeClient } = await import('testcontainers');
    await getContainerRuntimeClient();
    return null;
  } catch (thrown) {
    const reason = thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : String(thrown);
    return `no container runtime: ${reason}`;
  }
}

export async function startKafkaContainer(): Promise<Started> {
  const { GenericContainer, Wait } = await import('testcontainers');
  // A broker tells its clients where it is, so the port outside must be known before it starts.
  const port = await freePort();
  const container = await new GenericContainer(KAFKA_IMAGE)
    .withExposedPorts({ container: port, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: `PLAINTEXT://:${port},CONTROLLER://:9093`,
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
      KAFKA_LOG_CLEANER_BACKOFF_MS: '500',
      KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS: '1000',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(START_MS_MAX)
    .start();
  const stop = async (): Promise<void> => void (await container.stop());
  return { address: `127.0.0.1:${port}`, stop };
}

export async function startRegistryContainer(): Promise<Started> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(REGISTRY_IMAGE)
    .withExposedPorts(REGISTRY_PORT)
    .withWaitStrategy(Wait.forHttp('/apis/ccompat/v7/subjects', REGISTRY_PORT))
    .withStartupTimeout(START_MS_MAX)
    .start();
  const address = `http://${container.getHost()}:${container.getMappedPort(REGISTRY_PORT)}`;
  const stop = async (): Promise<void> => void (await container.stop());
  return { address: `${address}/apis/ccompat/v7`, stop };
}
