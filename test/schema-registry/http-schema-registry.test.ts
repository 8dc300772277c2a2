import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpSchemaRegistry } from '../../connectors/schema-registry/index.ts';
import { schemaRegistryContract } from '../contract/schema-registry.ts';
import { serveRegistry } from './support.ts';

schemaRegistryContract('the HTTP registry on our server', async () => {
  const served = await serveRegistry();
  const registry = createHttpSchemaRegistry({ url: served.url });
  return { registry, prefix: '', close: () => served.close() };
});

describe('the HTTP schema registry', () => {
  let server: Server | null = null;
  afterEach(() => server?.close());

  async function answering(status: number, body: string, delayMs = 0): Promise<string> {
    server = createServer((_, response) => {
      setTimeout(() => response.writeHead(status).end(body), delayMs);
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const failures: readonly [number, string, string][] = [
    [500, '{"error_code":50001,"message":"broken"}', 'SCHEMA_REGISTRY_UNAVAILABLE'],
    [503, '<html>', 'SCHEMA_REGISTRY_UNAVAILABLE'],
    [429, '{}', 'SCHEMA_REGISTRY_UNAVAILABLE'],
    [200, '<html>', 'SCHEMA_REGISTRY_UNAVAILABLE'],
    [401, '{"message":"who are you"}', 'SCHEMA_REGISTRY_REFUSED'],
    [422, '{"message":"Invalid schema"}', 'SCHEMA_REGISTRY_REFUSED'],
  ];
  it.each(failures)('answered %i with %s fails as %s', async (status, body, code) => {
    const registry = createHttpSchemaRegistry({ url: await answering(status, body) });
    await expect(registry.schemaById(1)).rejects.toMatchObject({ code });
  });

  it('says why nothing answered', async () => {
    const url = await answering(200, '{}');
    await new Promise((resolve) => server!.close(resolve));
    await expect(createHttpSchemaRegistry({ url }).schemaById(1)).rejects.toMatchObject({
      code: 'SCHEMA_REGISTRY_UNAVAILABLE',
      retriable: true,
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('waits no longer than it was told', async () => {
    const url = await answering(200, '{}', 2_000);
    const registry = createHttpSchemaRegistry({ url, timeoutMs: 50 });
    await expect(registry.latest('a')).rejects.toMatchObject({
      code: 'SCHEMA_REGISTRY_UNAVAILABLE',
      message: expect.stringContaining('timeout'),
    });
    server!.closeAllConnections();
  });

  it('asks once for a schema that it has seen, and keeps the path and headers it was given', async () => {
    const asked: string[] = [];
    const url = await answering(200, '{"schema":"\\"int\\""}');
    server!.on('request', ({ url: path, headers }) => {
      asked.push(`${path} ${headers.authorization}`);
    });
    const headers = { authorization: 'Basic abc' };
    const registry = createHttpSchemaRegistry({ url: `${url}/apis/ccompat/v7/`, headers });
    expect(await registry.schemaById(7)).toBe('"int"');
    expect(await registry.schemaById(7)).toBe('"int"');
    expect(asked).toEqual(['/apis/ccompat/v7/schemas/ids/7 Basic abc']);
  });
});
