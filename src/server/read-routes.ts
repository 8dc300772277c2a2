/** Freshet's own reads: rows instead of columns, a time to read at, receipts, and long streams. */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { FreshetError } from '../errors.ts';
import { defineRoute, type Route } from './route.ts';
import { requireBatch, type ServerPorts } from './server-ports.ts';
import { streamFeatures } from './stream-features.ts';

const entityRow = z.record(z.string(), z.unknown());
const time = z.union([z.string(), z.int()]).describe('ISO 8601, or microseconds.');

const what = {
  features: z.array(z.string()).min(1).optional().describe('As `view:feature`.'),
  service: z.string().optional(),
};
const options = {
  entityRows: z.array(entityRow).describe('Join keys and request data; all with the same keys.'),
  fullFeatureNames: z.boolean().default(false),
  asOf: time.optional().describe('The time that windows and max ages are of. Default: now.'),
  includeReceipt: z.boolean().default(false).describe('Say how current each value is.'),
};

const rowsAnswer = z.object({
  rows: z.array(z.record(z.string(), z.unknown())),
  statuses: z.array(z.record(z.string(), z.string())),
  eventTimestamps: z.array(z.record(z.string(), z.string().nullable())),
  freshnessUs: z
    .array(z.record(z.string(), z.int().nullable()))
    .describe('The time of the read less the event time, microseconds.'),
  degraded: z
    .array(
      z.object({
        source: z.string(),
        topic: z.string(),
        partition: z.int().nullable().describe('Null: all of them.'),
        state: z.enum(['STOPPED', 'LOG_UNAVAILABLE', 'SUSPENDED', 'GAP']),
        reason: z.string(),
      }),
    )
    .optional()
    .describe('Sources whose values may lack rows; left out when all is well.'),
  receipts: z.record(z.string(), z.array(z.unknown())).optional(),
});

export function readRoutes(ports: ServerPorts): Route[] {
  return [batch(ports), ofService(ports), stream(ports)];
}

function batch({ read, config }: ServerPorts): Route {
  return defineRoute(
    {
      method: 'POST',
      path: '/v1/online-features',
      scope: 'read',
      summary: 'Newest values, or those at a time, by rows',
      tag: 'Features',
      body: z.strictObject({ ...what, ...options }),
      response: rowsAnswer,
    },
    async ({ body: { features, service, asOf, ...request } }) => {
      requireBatch(request.entityRows.length, config);
      const answer = await read({
        ...oneOf(features, service),
        ...request,
        ...(asOf !== undefined && { asOf }),
      });
      return answer.toJSON();
    },
  );
}

function ofService({ read, config }: ServerPorts): Route {
  return defineRoute(
    {
      method: 'POST',
      path: '/v1/services/:service/online-features',
      scope: 'read',
      summary: 'Newest values of a feature service',
      tag: 'Features',
      params: z.object({ service: z.string() }),
      body: z.strictObject(options),
      response: rowsAnswer,
    },
    async ({ params: { service }, body: { asOf, ...request } }) => {
      requireBatch(request.entityRows.length, config);
      const answer = await read({
        service,
        ...request,
        ...(asOf !== undefined && { asOf }),
      });
      return answer.toJSON();
    },
  );
}

function stream({ read, config }: ServerPorts): Route {
  return defineRoute(
    {
      method: 'POST',
      path: '/v1/online-features/stream',
      scope: 'read',
      summary: 'Newest values for any number of entity rows, a line of JSON each, both ways',
      tag: 'Features',
      isLong: true,
      produces: 'application/x-ndjson',
      query: z.strictObject({
        features: z.string().optional().describe('With commas: `view:a,view:b`.'),
        service: z.string().optional(),
        fullFeatureNames: z.enum(['true', 'false']).default('false'),
      }),
      response: z
        .string()
        .describe('Lines of { row, statuses }; a last line { error } if it fails.'),
    },
    async ({ query: { features, service, fullFeatureNames }, raw }) => {
      const request = {
        ...oneOf(features?.split(','), service),
        fullFeatureNames: fullFeatureNames === 'true',
      };
      if (!(raw.body instanceof Readable)) {
        throw new FreshetError('INVALID_ARGUMENT', 'the body is not application/x-ndjson', {
          next: 'Send entity rows with the header Content-Type: application/x-ndjson.',
        });
      }
      // Of no rows: what is wrong with the request itself has its status before the stream begins.
      await read({ ...request, entityRows: [] });
      const { bodyBytesMax, batchRowsMax } = config;
      const lines = { lineBytesMax: bodyBytesMax, rowsMax: batchRowsMax };
      return Readable.from(streamFeatures(read, request, raw.body, lines));
    },
  );
}

type What = { readonly service: string } | { readonly features: readonly string[] };

/** @throws FreshetError INVALID_ARGUMENT */
function oneOf(features: readonly string[] | undefined, service: string | undefined): What {
  if (service !== undefined && features === undefined) return { service };
  if (features !== undefined && service === undefined) return { features };
  throw new FreshetError('INVALID_ARGUMENT', 'give either features or service', {
    next: 'Send `features`, a list of view:feature, or `service`, the name of one.',
  });
}
