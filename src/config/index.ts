export {
  type ApiKeyConfig,
  type Config,
  type ConfigOverrides,
  type EmbeddedLogConfig,
  type EngineConfig,
  type Environment,
  type KafkaLogConfig,
  type KvBinding,
  loadConfig,
  type OfflineStoreConfig,
  type RetentionConfig,
  type SchemaRegistryConfig,
  type ServerConfig,
  type TracingConfig,
} from './config.ts';
export { type InitRepositoryOptions, initRepository } from './init-repository.ts';
export { type LoadRepositoryOptions, loadRepository } from './load-repository.ts';
