export {
  CONFIG_FILE,
  type Config,
  type EmbeddedLogConfig,
  type EngineConfig,
  type Environment,
  type KafkaLogConfig,
  type KvBinding,
  loadConfig,
  type OfflineStoreConfig,
  type SchemaRegistryConfig,
} from './config.ts';
