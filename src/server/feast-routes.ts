/**
 * The endpoints of Feast's feature server: the same paths, requests and answers, so that its clients
 * work unchanged. What Feast lets through and does not use is let through here, too.
 */
import { z } from 'zod';
import { toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue, JsonValue } from '../core/field-type.ts';
import { remembered } from '../core/remembered.ts';
import { formatTimestampUs, US_PER_SECOND } from '../core/time.ts';
import { FreshetError } from '../errors.ts';
import type { FeatureStore } from '../feature-store/index.ts';
import { defineRoute, type Route } from './route.ts';
import { requireBatch, type ServerPorts } from './server-ports.ts';

type Row = Record<string, unknown>;

const columns = z.record(z.string(), z.array(z.unknown()));
const featureViews = z.array(z.string()).nullish();
const nothing = z.null().describe('Done.');

const onlineAnswer = z.object({
  metadata: z.object({ feature_names: z.array(z.string()) }),
  results: z
    .array(
      z.object({
        values: z.array(z.unknown()),
        statuses: z.array(z.string()),
        event_timestamps: z.array(z.string()),
      }),
    )
    .describe('One for each feature name, in its order.'),
});

export function feastRoutes(ports: ServerPorts): Route[] {
  return [getOnlineFeatures(ports), ...writes(ports), ...loads(ports)];
}

function getOnlineFeatures({ read, config }: ServerPorts): Route {
  const body = z.object({
    entities: columns.describe('Join keys and request data, by name; lists of equal length.'),
    features: z.array(z.string()).nullish().describe('As `view:feature`.'),
    feature_service: z.string().nullish(),
    full_feature_names: z.boolean().default(false),
  });
  return defineRoute(
    {
      method: 'POST',
      path: '/get-online-features',
      scope: 'read',
      summary: 'Newest values of features, by columns',
      tag: 'Feast',
      body,
      response: onlineAnswer,
    },
    async ({ body: { entities, features, feature_service, full_feature_names } }) => {
      const entityRows = rowsOf(entities);
      requireBatch(entityRows.length, config);
      const what = feature_service ? { service: feature_service } : { features: features ?? [] };
      const answer = await read({
        ...what,
        // A view without entities has one row, and no column says so.
        entityRows: Object.keys(entities).length === 0 ? [{}] : entityRows,
        fullFeatureNames: full_feature_names,
      });
      const { keys, features: found } = answer;
      const timesOf = remembered(feastTimes);
      return {
        metadata: { feature_names: [...keys, ...found].map(({ name }) => name) },
        results: [
          ...keys.map(({ type, values }) => ({
            values: values.map((value) => feastValue(type, value)),
            statuses: values.map(() => 'PRESENT'),
            event_timestamps: values.map(() => NO_TIME),
          })),
          ...found.map(({ type, values, statuses, eventTimesUs }) => ({
            values: values.map((value) => feastValue(type, value)),
            statuses,
            event_timestamps: timesOf(eventTimesUs),
          })),
        ],
      };
    },
  );
}

function writes({ store, config }: ServerPorts): Route[] {
  const push = z.object({
    push_source_name: z.string(),
    df: columns,
    to: z.enum(['online', 'offline', 'online_and_offline']).default('online'),
  });
  const write = z.object({ feature_view_name: z.string(), df: columns });
  const shape = { method: 'POST', scope: 'write', tag: 'Feast', response: nothing } as const;
  return [
    defineRoute(
      { ...shape, path: '/push', summary: 'Send rows to a source', body: push },
      async ({ body: { push_source_name, df, to } }) => {
        const rows = rowsOf(df);
        requireBatch(rows.length, config);
        requireTarget(store, push_source_name, to);
        await store.push(push_source_name, rows);
        return null;
      },
    ),
    defineRoute(
      {
        ...shape,
        path: '/write-to-online-store',
        summary: 'Put rows of a view with batch history into the online store alone',
        body: write,
      },
      async ({ body: { feature_view_name, df } }) => {
        const rows = rowsOf(df);
        requireBatch(rows.length, config);
        await store.writeToOnlineStore(feature_view_name, inSource(store, feature_view_name, rows));
        return null;
      },
    ),
  ];
}

function loads({ store, oneAtATime }: ServerPorts): Route[] {
  const range = z.object({ start_ts: z.string(), end_ts: z.string(), feature_views: featureViews });
  const until = z.object({ end_ts: z.string(), feature_views: featureViews });
  const shape = {
    method: 'POST',
    scope: 'write',
    tag: 'Feast',
    isLong: true,
    response: nothing,
  } as const;
  return [
    defineRoute(
      { ...shape, path: '/materialize', summary: 'Load batch history of a range', body: range },
      async ({ body: { start_ts, end_ts, feature_views } }) => {
        const views = feature_views ? { views: feature_views } : {};
        await oneAtATime(() =>
          store.materialize({ startTime: start_ts, endTime: end_ts, ...views }),
        );
        return null;
      },
    ),
    defineRoute(
      {
        ...shape,
        path: '/materialize-incremental',
        summary: 'Load batch history from where the last load ended',
        body: until,
      },
      async ({ body: { end_ts, feature_views } }) => {
        const views = feature_views ? { views: feature_views } : {};
        await oneAtATime(() => store.materializeIncremental({ endTime: end_ts, ...views }));
        return null;
      },
    ),
  ];
}

/** Rows of columns. @throws FreshetError INVALID_ARGUMENT when their lengths differ */
function rowsOf(columns: Readonly<Record<string, readonly unknown[]>>): Row[] {
  const names = Object.keys(columns);
  const [first] = names;
  if (first === undefined) return [];
  const { length } = columns[first] as readonly unknown[];
  const other = names.find((name) => columns[name]?.length !== length);
  if (other !== undefined) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `"${first}" has ${length} values and "${other}" has ${columns[other]?.length}`,
      { where: { column: other }, next: 'Give every column the same number of values.' },
    );
  }
  return Array.from({ length }, (_, i) =>
    Object.fromEntries(names.map((name) => [name, columns[name]?.[i]])),
  );
}

/**
 * Rows of a topic are in both stores, always; those of batch history come from its files.
 * @throws FreshetError INVALID_ARGUMENT
 */
function requireTarget(store: FeatureStore, name: string, to: string): void {
  const isTopic = store.catalog.sources.get(name)?.kind === 'topicSource';
  if (to === 'online' || (isTopic && to === 'online_and_offline')) return;
  throw new FreshetError(
    'INVALID_ARGUMENT',
    isTopic ? 'rows of a topic go to both stores' : 'batch history is its files, not pushed rows',
    { where: { source: name }, next: `Send "to": "${isTopic ? 'online_and_offline' : 'online'}".` },
  );
}

/** Feast's clients name the times event_timestamp and created, whatever the source calls them. */
function inSource({ catalog }: FeatureStore, view: string, rows: readonly Row[]): Row[] {
  const source = catalog.views.get(view)?.batchSource;
  if (!source) return [...rows];
  const { timestampField, createdTimestampField, schema } = source;
  return rows.map(({ event_timestamp, created, ...row }) => ({
    ...(event_timestamp !== undefined && { [timestampField]: event_timestamp }),
    ...(created !== undefined &&
      (createdTimestampField !== null || 'created' in schema) && {
        [createdTimestampField ?? 'created']: created,
      }),
    ...row,
  }));
}

/** As Feast: a timestamp is its seconds, here with what is below the second. */
function feastValue(type: FieldType, value: FieldValue): JsonValue {
  return type === 'timestamp' && typeof value === 'number'
    ? value / US_PER_SECOND
    : toJsonValue(type, value);
}

const NO_TIME = '1970-01-01T00:00:00Z';

/** As protobuf writes them: no fraction where there is none. */
function feastTimes(timesUs: readonly (number | null)[]): string[] {
  return timesUs.map((us) => (us === null ? NO_TIME : feastTime(us)));
}

function feastTime(us: number): string {
  return formatTimestampUs(us).replace('.000Z', 'Z');
}
