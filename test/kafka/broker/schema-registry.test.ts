import { describe, inject } from 'vitest';
import { createHttpSchemaRegistry } from '../../../connectors/schema-registry/index.ts';
import { schemaRegistryContract } from '../../contract/schema-registry.ts';
import { prefix } from './support.ts';

const { address, via, reason } = inject('schemaRegistry');
const name = address === null ? `none: ${reason}` : `${via}, ${new URL(address).pathname}`;

// Where there is none, the embedded registry has passed the same suite in its own tests.
describe.skipIf(address === null)(`a registry that is not ours (${name})`, () => {
  schemaRegistryContract(via, async () => {
    if (via === 'container') await refuseIncompatible(address as string);
    const registry = createHttpSchemaRegistry({ url: address as string });
    return { registry, prefix, close: () => registry.close() };
  });
});

/** As Confluent's registry does unasked. */
async function refuseIncompatible(url: string): Promise<void> {
  await fetch(`${url}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ compatibility: 'BACKWARD' }),
  });
}
