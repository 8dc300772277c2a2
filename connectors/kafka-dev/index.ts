export { type DevKafka, type DevKafkaOptions, startDevKafka } from './dev-kafka.ts';
export { type DevRegistry, startDevRegistry } from './dev-registry.ts';
