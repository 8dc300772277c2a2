/** The one place that chooses connectors by configuration; each is loaded when it is first used. */
import { dirname, join } from 'node:path';
import type { SchemaRegistry } from '../codec/index.ts';
import type { Config, SchemaRegistryConfig } from '../config/index.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../log/index.ts';

const HEARTBEAT_MS_MAX = 3_000;

/** @throws FreshetError LOG_LOCKED, LOG_UNAVAILABLE, STORE_NOT_FOUND for one that is only read */
export async function openLog(config: Config, clock: Clock, readOnly: boolean): Promise<Log> {
  const { log } = config;
  if (log.type === 'embedded') {
    const { openEmbeddedLog } = await import('../../connectors/embedded/index.ts');
    return openEmbeddedLog({ path: log.path, clock, readOnly });
  }
  const { openKafkaLog } = await import('../../connectors/kafka/index.ts');
  const { brokers, clientId, ssl, sasl, sessionTimeoutMs } = log;
  return openKafkaLog({
    ...{ brokers, clientId, ssl, sasl, sessionTimeoutMs, clock },
    // Kafka's own proportion: two of three may be lost.
    heartbeatMs: Math.min(HEARTBEAT_MS_MAX, Math.trunc(sessionTimeoutMs / 3)),
  });
}

/** The registry that the configuration names; beside the registry file where it names none. */
export async function openSchemaRegistry(config: Config): Promise<SchemaRegistry> {
  const { log } = config;
  const connectors = await import('../../connectors/schema-registry/index.ts');
  if (log.type === 'kafka' && log.schemaRegistry !== null) {
    const { url } = log.schemaRegistry;
    return connectors.createHttpSchemaRegistry({ url, headers: credentials(log.schemaRegistry) });
  }
  const path = join(dirname(config.registry.path), 'schemas.json');
  return connectors.openEmbeddedSchemaRegistry({ path });
}

function credentials({ username, password }: SchemaRegistryConfig): Record<string, string> {
  if (username === null) return {};
  const token = Buffer.from(`${username}:${password ?? ''}`).toString('base64');
  return { authorization: `Basic ${token}` };
}
