import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EmbeddedSchemaRegistry,
  openEmbeddedSchemaRegistry,
  serveSchemaRegistry,
} from '../../connectors/schema-registry/index.ts';

export interface ServedRegistry {
  readonly url: string;
  readonly registry: EmbeddedSchemaRegistry;
  close(): Promise<void>;
}

/** The embedded registry in a folder of its own, on a free port. */
export async function serveRegistry(): Promise<ServedRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-registry-'));
  const registry = await openEmbeddedSchemaRegistry({ path: join(folder, 'schemas.json') });
  const server = await serveSchemaRegistry({ registry });
  const close = async (): Promise<void> => {
    await server.close();
    await registry.close();
    await rm(folder, { recursive: true });
  };
  return { url: server.url, registry, close };
}
