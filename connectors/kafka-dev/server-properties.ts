export interface BrokerSettings {
  readonly port: number;
  readonly controllerPort: number;
  /** Where the broker keeps its topics. */
  readonly dataFolder: string;
  /** Further broker settings by their Kafka names; they win. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * The configuration of a broker for development: one node that is its own controller, on the
 * loopback only, without replicas, quick to group and to clean.
 */
export function serverProperties(broker: BrokerSettings): string {
  const listener = `PLAINTEXT://127.0.0.1:${broker.port}`;
  const controller = `CONTROLLER://127.0.0.1:${broker.controllerPort}`;
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${broker.controllerPort}`,
    listeners: `${listener},${controller}`,
    'advertised.listeners': `${listener},${controller}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': broker.dataFolder,
    'auto.create.topics.enable': 'false',
    'num.partitions': '1',
    'default.replication.factor': '1',
    'min.insync.replicas': '1',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    // A broker that was killed may come back once its old session is over.
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '1000',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'num.network.threads': '2',
    'num.io.threads': '2',
    'background.threads': '2',
    'num.recovery.threads.per.data.dir': '1',
    'log.cleaner.threads': '1',
    // The default of 128 MiB would be a third of the small heap.
    'log.cleaner.dedupe.buffer.size': '16777216',
    'log.cleaner.backoff.ms': '500',
    'log.retention.check.interval.ms': '1000',
    'log.initial.task.delay.ms': '500',
    ...broker.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Kafka's own log: warnings, and the line that says it has started. */
export const LOG4J_PROPERTIES = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=info
`;
