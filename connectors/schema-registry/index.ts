export type { CompatibilityLevel } from './compatibility.ts';
export {
  type EmbeddedSchemaRegistry,
  openEmbeddedSchemaRegistry,
} from './embedded-schema-registry.ts';
export {
  createHttpSchemaRegistry,
  type HttpSchemaRegistryOptions,
} from './http-schema-registry.ts';
export {
  type SchemaRegistryServer,
  type SchemaRegistryServerOptions,
  serveSchemaRegistry,
} from './schema-registry-server.ts';
