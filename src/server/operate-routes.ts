/** What an operator asks: where everything stands, what is stored, what was rejected. */
import { z } from 'zod';
import { toJsonValue } from '../core/coerce.ts';
import type { FieldValue, JsonValue, Schema } from '../core/field-type.ts';
import type { FeatureView } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { DeadLetter, Difference } from '../feature-store/index.ts';
import { entityKeys } from '../online/index.ts';
import { lineage } from '../registry/index.ts';
import { defineRoute, type Route } from './route.ts';
import { requireBatch, type ServerPorts } from './server-ports.ts';

const shape = { scope: 'read', tag: 'Operation' } as const;
const get = { ...shape, method: 'GET' } as const;
const post = { ...shape, method: 'POST' } as const;
const anything = z.record(z.string(), z.unknown());
const list = z.array(anything);
const limit = z.coerce.number().int().min(1).max(1_000).default(20);
const view = z.object({ view: z.string() });

/** Bytes of a rejected record that are shown. */
const LETTER_BYTES_MAX = 4_096;

export function operateRoutes(ports: ServerPorts): Route[] {
  return [
    access(ports),
    ...standing(ports),
    ...stored(ports),
    history(ports),
    ...deadLetters(ports),
    verify(ports),
    push(ports),
  ];
}

function access({ access }: ServerPorts): Route {
  return defineRoute(
    {
      ...get,
      path: '/v1/access',
      scope: 'none',
      summary: 'What the one who asks may do here',
      response: z.object({ key: z.string().nullable(), read: z.boolean(), write: z.boolean() }),
    },
    async ({ raw: { headers, caller } }) => ({
      key: caller.key,
      read: access.may(headers, 'read'),
      write: access.may(headers, 'write'),
    }),
  );
}

function standing({ store, clock }: ServerPorts): Route[] {
  return [
    defineRoute(
      {
        ...get,
        path: '/v1/status',
        summary: 'Where every source and partition stands',
        response: z.object({ nowMs: z.int(), sources: list }),
      },
      async () => ({ nowMs: clock.nowMs(), sources: await store.status() }),
    ),
    defineRoute(
      {
        ...get,
        path: '/v1/catalogue',
        summary: 'What is applied, and what is made from what',
        response: z.object({
          project: z.string(),
          revision: z.int(),
          definitions: list,
          states: z.record(z.string(), z.string()),
          lineage: list,
        }),
      },
      async () => {
        const { project, revision, definitions, views } = await store.registry();
        return { project, revision, definitions, states: views, lineage: lineage(definitions) };
      },
    ),
  ];
}

function stored(ports: ServerPorts): Route[] {
  const { store } = ports;
  return [
    defineRoute(
      {
        ...get,
        path: '/v1/views/:view/cost',
        summary: 'What a view takes of the online store, and what a read of it costs',
        isLong: true,
        params: view,
        response: z.object({ entities: z.int(), bytes: z.int(), reads: list }),
      },
      ({ params }) => store.viewCost(params.view),
    ),
    defineRoute(
      {
        ...get,
        path: '/v1/views/:view/materializations',
        summary: 'Ranges of event time, in microseconds, that were loaded from batch history',
        params: view,
        response: z.array(z.object({ startUs: z.int(), endUs: z.int() })),
      },
      ({ params }) => store.materializationIntervals(params.view),
    ),
    defineRoute(
      {
        ...get,
        path: '/v1/views/:view/values',
        summary: 'Values of some entities of a view, as they are served',
        params: view,
        query: z.strictObject({ limit }),
        response: z.object({ rows: list, statuses: list, eventTimestamps: list }),
      },
      ({ params, query }) => someValues(ports, params.view, query.limit),
    ),
    defineRoute(
      {
        ...get,
        path: '/v1/sources/:source/segments',
        summary: 'Published segments of a topic source',
        params: z.object({ source: z.string() }),
        response: list,
      },
      ({ params }) => store.segments(params.source),
    ),
  ];
}

function history({ store }: ServerPorts): Route {
  const time = z.union([z.string(), z.int()]).describe('ISO 8601, or microseconds.');
  return defineRoute(
    {
      ...post,
      path: '/v1/views/:view/history',
      summary: 'Values of one entity of a view over event time, as a join gives them',
      isLong: true,
      params: view,
      body: z.strictObject({
        entity: anything.describe('Join keys.'),
        startTime: time.optional().describe('Default: the first row of the entity.'),
        endTime: time.optional().describe('Default: its last.'),
        pointsMax: z.int().min(1).max(1_000).optional().describe('Times, at most. Default 200.'),
      }),
      response: z.object({
        rows: z.int(),
        firstUs: z.int().nullable(),
        lastUs: z.int().nullable(),
        timesUs: z.array(z.int()),
        values: z.record(z.string(), z.array(z.unknown())),
      }),
    },
    async ({ params, body }) => {
      const { values, ...found } = await store.entityHistory({ ...params, ...given(body) });
      const { schema } = store.catalog.views.get(params.view) as FeatureView;
      return {
        ...found,
        values: Object.fromEntries(
          Object.entries(values).map(([name, of]) => [
            name,
            of.map((value) => toJsonValue(schema[name]!, value)),
          ]),
        ),
      };
    },
  );
}

function deadLetters({ store }: ServerPorts): Route[] {
  const filter = { topic: z.string().optional(), code: z.string().optional() };
  return [
    defineRoute(
      {
        ...get,
        path: '/v1/dead-letters',
        summary: 'Rejected records, the newest first',
        query: z.strictObject({ ...filter, limit }),
        response: z.object({ total: z.int(), letters: list }),
      },
      async ({ query: { limit, ...wanted } }) => {
        let total = 0;
        const letters: DeadLetter[] = [];
        for await (const letter of store.deadLetters.list(given(wanted))) {
          total++;
          letters.push(letter);
          if (letters.length > limit) letters.shift();
        }
        return { total, letters: letters.reverse().map(letterJson) };
      },
    ),
    defineRoute(
      {
        ...post,
        path: '/v1/dead-letters/retry',
        scope: 'write',
        summary: 'Send rejected records to their topics again: those not retried before, or some',
        isLong: true,
        body: z.strictObject({ ...filter, id: z.int().min(0).optional() }),
        response: z.object({ sent: z.int(), truncated: z.int() }),
      },
      ({ body }) => store.deadLetters.retry(given(body)),
    ),
  ];
}

function verify({ store, oneAtATime }: ServerPorts): Route {
  return defineRoute(
    {
      ...post,
      path: '/v1/verify',
      summary: 'Compare served values with the same values joined from the segments',
      isLong: true,
      body: z.strictObject({
        views: z.array(z.string()).optional(),
        entitiesMax: z.int().min(1).max(10_000).optional(),
        timesMax: z.int().min(1).max(20).optional(),
        seed: z.int().min(0).optional(),
      }),
      response: z.object({ same: z.boolean(), views: list }),
    },
    async ({ body }) => {
      const { same, views } = await oneAtATime(() => store.verify(given(body)));
      return {
        same,
        views: views.map(({ differences, ...result }) => {
          const view = store.catalog.views.get(result.view) as FeatureView;
          return { ...result, differences: differences.map((d) => differenceJson(view, d)) };
        }),
      };
    },
  );
}

function push({ store, config }: ServerPorts): Route {
  return defineRoute(
    {
      ...post,
      path: '/v1/push',
      scope: 'write',
      summary: 'Send rows to a source: to its topic, or to the online store of its views',
      body: z.strictObject({ source: z.string(), rows: list }),
      response: z.object({ rows: z.int() }),
    },
    async ({ body: { source, rows } }) => {
      requireBatch(rows.length, config);
      await store.push(source, rows);
      return { rows: rows.length };
    },
  );
}

/** @throws FreshetError FEATURE_VIEW_NOT_FOUND */
async function someValues(
  { store, read }: ServerPorts,
  name: string,
  limit: number,
): Promise<Record<string, unknown>> {
  const found = store.catalog.views.get(name);
  if (found === undefined) {
    throw new FreshetError('FEATURE_VIEW_NOT_FOUND', `there is no feature view "${name}"`, {
      where: { view: name },
    });
  }
  const entityRows: Readonly<Record<string, unknown>>[] = [];
  await store.resources.readState(async (state) => {
    for await (const key of entityKeys(state, found)) {
      entityRows.push(key);
      if (entityRows.length === limit) break;
    }
  });
  const features = Object.keys(found.schema).map((feature) => `${name}:${feature}`);
  return (await read({ features, entityRows })).toJSON();
}

/** Without what was not given: absent is not undefined. */
function given<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== undefined)) as never;
}

function letterJson({ key, value, headers: _, ...facts }: DeadLetter): Record<string, unknown> {
  return { ...facts, key: textOf(key), value: textOf(value) };
}

/** UTF-8 where it is text, base64 where it is not; long ones are cut. */
function textOf(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  const buffer = Buffer.from(bytes.subarray(0, LETTER_BYTES_MAX));
  const text = buffer.toString();
  const cut = bytes.length > LETTER_BYTES_MAX ? '…' : '';
  if (Buffer.from(text).equals(buffer)) return text + cut;
  return `base64:${buffer.toString('base64')}${cut}`;
}

function differenceJson(view: FeatureView, difference: Difference): Record<string, JsonValue> {
  const { kind, entity, feature, time, online, recomputed } = difference;
  const value = (of: FieldValue): JsonValue => toJsonValue(view.schema[feature]!, of);
  const keys: Schema = view.joinKeys;
  return {
    kind,
    entity: Object.fromEntries(
      Object.entries(entity).map(([name, of]) => [name, toJsonValue(keys[name]!, of)]),
    ),
    feature,
    time,
    online: value(online),
    recomputed: value(recomputed),
  };
}
