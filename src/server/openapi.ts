import { z } from 'zod';
import type { Route } from './route.ts';

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of routes, made from the schemas that check their requests. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Freshet feature server', version },
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: jsonSchema(errorBody, 'output') },
    },
  };
}

const errorBody = z.object({
  code: z.string(),
  message: z.string(),
  where: z.record(z.string(), z.unknown()),
  next: z.string().describe('What can be done.'),
});

function operation(route: Route): Json {
  const { method, path, scope, summary, tag, body, response, produces } = route;
  const name = path.replace(/[/:-]+(\w)/g, (_, letter: string) => letter.toUpperCase());
  const type = produces ?? 'application/json';
  return {
    operationId: `${method.toLowerCase()}${name.replace(/\W/g, '')}`,
    summary,
    tags: [tag],
    security: scope === 'none' ? [] : [{ key: [] }],
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchema(body, 'input') } },
      },
    }),
    ...(produces === 'application/x-ndjson' && {
      requestBody: { required: true, content: { [produces]: { schema: { type: 'string' } } } },
    }),
    responses: {
      200: { description: 'Done', content: { [type]: { schema: jsonSchema(response, 'output') } } },
      default: {
        description: 'Refused or failed',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function parameters(schema: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    readonly properties?: Record<string, unknown>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, type]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: type,
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
