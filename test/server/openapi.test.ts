import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from '../../src/server/openapi.ts';
import { defineRoute } from '../../src/server/route.ts';
import { useServer } from './support.ts';

const start = useServer();

describe('the OpenAPI document', () => {
  it('has parameters, body, answer and key of a route from its schemas', () => {
    const route = defineRoute(
      {
        method: 'POST',
        path: '/v1/things/:name',
        scope: 'write',
        summary: 'Change a thing',
        tag: 'Operation',
        params: z.object({ name: z.string() }),
        query: z.strictObject({ limit: z.int().default(20) }),
        body: z.strictObject({ size: z.int().min(1) }),
        response: z.null(),
      },
      async () => null,
    );
    const { paths } = openApiDocument([route], '1.2.3') as { paths: Record<string, unknown> };
    expect(paths).toMatchObject({
      '/v1/things/{name}': {
        post: {
          operationId: 'postV1ThingsName',
          security: [{ key: [] }],
          parameters: [
            { name: 'name', in: 'path', required: true, schema: { type: 'string' } },
            { name: 'limit', in: 'query', required: false, schema: { default: 20 } },
          ],
          requestBody: {
            content: {
              'application/json': {
                schema: { required: ['size'], additionalProperties: false },
              },
            },
          },
          responses: { 200: {}, default: {} },
        },
      },
    });
  });

  it('is served, open to all, with a name of its own for each operation', async () => {
    const client = await start({ anonymous: 'none', keys: [KEY] }, { version: '1.2.3' });
    const { status, json } = await client.get('/openapi.json');
    expect(status).toBe(200);
    expect(json.info.version).toBe('1.2.3');
    const operations = Object.values<Record<string, { operationId: string }>>(json.paths)
      .flatMap((path) => Object.values(path))
      .map(({ operationId }) => operationId);
    expect(operations).toContain('postGetOnlineFeatures');
    expect(new Set(operations).size).toBe(operations.length);
  });

  it('is what OpenAPI 3.1 says a document is, with every reference in it', async () => {
    const client = await start();
    const { json } = await client.get('/openapi.json');
    const validator = new Validator();
    expect(await validator.validate(json)).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    expect(validator.resolveRefs()).toHaveProperty('paths./health.get');
    // The validator has teeth: it refuses a parameter of a place that there is not.
    const path = json.paths['/v1/views/{view}/cost'].get;
    path.parameters[0].in = 'nowhere';
    expect((await new Validator().validate(json)).valid).toBe(false);
  });
});

const KEY = {
  name: 'k',
  sha256: '0'.repeat(64),
  scopes: ['read'] as const,
  requestsPerMinuteMax: null,
};
