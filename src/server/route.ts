import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { didYouMean } from '../core/nearest.ts';
import { FreshetError } from '../errors.ts';

/** What a request must be allowed to; `none` is open to all. */
export type Scope = 'none' | 'read' | 'write';

interface Shape<B, Q, P> {
  readonly method: 'GET' | 'POST';
  /** As fastify writes it: `/v1/views/:view`. */
  readonly path: string;
  readonly scope: Scope;
  /** One line of the OpenAPI document. */
  readonly summary: string;
  /** Heading that the document puts it under. */
  readonly tag: 'Feast' | 'Features' | 'Operation';
  /** Whether it may take longer than `requestMsMax`. Default false. */
  readonly isLong?: boolean;
  /** Media type when it is not JSON; the handler then writes the reply as it is. */
  readonly produces?: string;
  readonly body?: z.ZodType<B>;
  readonly query?: z.ZodType<Q>;
  readonly params?: z.ZodType<P>;
  readonly response: z.ZodType;
}

interface Input<B, Q, P> {
  readonly body: B;
  readonly query: Q;
  readonly params: P;
  readonly raw: FastifyRequest;
  readonly reply: FastifyReply;
}

/** One endpoint: the schemas check requests and make the OpenAPI document. */
export interface Route extends Shape<unknown, unknown, unknown> {
  answer(raw: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

/** Binds a handler to the types of its schemas. */
export function defineRoute<B = undefined, Q = undefined, P = undefined>(
  shape: Shape<B, Q, P>,
  handle: (input: Input<B, Q, P>) => Promise<unknown>,
): Route {
  return {
    ...shape,
    answer: (raw, reply) =>
      handle({
        body: parse(shape.body, raw.body, 'the body'),
        query: parse(shape.query, raw.query, 'the query'),
        params: parse(shape.params, raw.params, 'the path'),
        raw,
        reply,
      }),
  };
}

/** @throws FreshetError INVALID_ARGUMENT that names the place */
function parse<T>(schema: z.ZodType<T> | undefined, input: unknown, where: string): T {
  if (schema === undefined) return undefined as T;
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  throw new FreshetError('INVALID_ARGUMENT', `${where}: ${issueText(issue, path, schema)}`, {
    where: { ...(path !== '' && { key: path }) },
    next: 'Correct the request; /openapi.json describes it.',
  });
}

function issueText(issue: z.core.$ZodIssue | undefined, path: string, schema: z.ZodType): string {
  if (issue === undefined) return 'it is not valid';
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    return `"${key}" is not known. ${didYouMean(key, known)}`;
  }
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return `${path === '' ? 'it' : `"${path}"`} is missing`;
  }
  const text = issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
  return path === '' ? text : `"${path}": ${text}`;
}
