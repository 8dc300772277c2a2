import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import {
  createHttpSchemaRegistry,
  openEmbeddedSchemaRegistry,
  serveSchemaRegistry,
} from '../../../connectors/schema-registry/index.ts';
import { type OpenedRegistry, schemaRegistryContract } from '../../contract/schema-registry.ts';
import { prefix } from './support.ts';

const { address, via, reason } = inject('schemaRegistry');

if (address === null) {
  // The last rung is our own, over HTTP as others are.
  schemaRegistryContract(`ours, since there is no other (${reason})`, openOurs);
} else {
  schemaRegistryContract(`${via}, ${new URL(address).pathname}`, async () => {
    if (via === 'container') await refuseIncompatible(address);
    const registry = createHttpSchemaRegistry({ url: address });
    return { registry, prefix, close: () => registry.close() };
  });
}

/** As Confluent's registry does unasked. */
async function refuseIncompatible(url: string): Promise<void> {
  await fetch(`${url}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ compatibility: 'BACKWARD' }),
  });
}

async function openOurs(): Promise<OpenedRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-registry-'));
  const kept = await openEmbeddedSchemaRegistry({ path: join(folder, 'schemas.json') });
  const server = await serveSchemaRegistry({ registry: kept });
  const registry = createHttpSchemaRegistry({ url: server.url });
  const close = async (): Promise<void> => {
    await registry.close();
    await server.close();
    await kept.close();
    await rm(folder, { recursive: true });
  };
  return { registry, prefix, close };
}
