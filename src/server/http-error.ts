import type { FastifyError } from 'fastify';
import { ERROR_TABLE, type ErrorCode, FreshetError } from '../errors.ts';

/** An error as the client gets it. */
export interface HttpError {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Codes whose status does not follow from whom they affect. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  ACCESS_DENIED: 403,
  ROUTE_NOT_FOUND: 404,
  FEATURE_VIEW_NOT_FOUND: 404,
  FEATURE_NOT_FOUND: 404,
  FEATURE_SERVICE_NOT_FOUND: 404,
  SOURCE_NOT_FOUND: 404,
  PUSH_SOURCE_NOT_FOUND: 404,
  FEATURE_VIEW_DISABLED: 409,
  DEFINITIONS_NOT_APPLIED: 409,
  REQUEST_TOO_LARGE: 413,
  AGGREGATE_OVERFLOW: 422,
  TRANSFORM_FAILED: 422,
  RATE_LIMITED: 429,
  STORE_CLOSED: 503,
  VIEW_STATE_OUTDATED: 503,
  REQUEST_TIMEOUT: 503,
};

/** Errors of fastify itself, by its codes. */
const FASTIFY: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['REQUEST_TOO_LARGE', 'the body is larger than server.bodyBytesMax'],
  FST_ERR_HANDLER_TIMEOUT: ['REQUEST_TIMEOUT', 'the answer was not ready in time'],
  FST_ERR_BAD_URL: ['ROUTE_NOT_FOUND', 'the path is not a valid URL'],
};

/**
 * Any thrown value as status and JSON. What is no FreshetError is a fault of the server: the client
 * learns nothing of it, the log does.
 */
export function toHttpError(thrown: unknown): HttpError {
  const error = toKnownError(thrown);
  if (error !== null) return { status: statusOf(error.code), body: error.toJSON() };
  return {
    status: 500,
    body: {
      code: 'INTERNAL',
      message: 'the server failed',
      where: {},
      next: 'See the log of the server, and report it.',
    },
  };
}

function toKnownError(thrown: unknown): FreshetError | null {
  if (thrown instanceof FreshetError) return thrown;
  const { code = '', statusCode = 500, message } = thrown as Partial<FastifyError>;
  const known = FASTIFY[code];
  if (known !== undefined) return new FreshetError(known[0], known[1], { cause: thrown });
  // What fastify itself refuses, such as a body that is not JSON.
  if (statusCode >= 500) return null;
  return new FreshetError('INVALID_ARGUMENT', `the request is refused: ${message}`, {
    cause: thrown,
    next: 'Correct the request; /openapi.json describes it.',
  });
}

function statusOf(code: ErrorCode): number {
  const named = STATUS[code];
  if (named !== undefined) return named;
  const { scope, retriable } = ERROR_TABLE[code];
  if (scope === 'row' || scope === 'request') return 400;
  return retriable || scope === 'partition' ? 503 : 500;
}
