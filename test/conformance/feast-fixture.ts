/** Builds a feature repository from a Feast case: definitions, Parquet history and a clock. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ManualClock } from '../../src/core/clock.ts';
import type { FieldType, KeyType } from '../../src/core/field-type.ts';
import {
  type Entity,
  entity,
  type FeatureRef,
  type FeatureService,
  type FeatureView,
  featureService,
  featureView,
  makeProjection,
  type OnDemandFeatureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
} from '../../src/definition/index.ts';
import { openDuckdb, quoteIdentifier, quoteLiteral } from '../../src/duckdb/index.ts';
import { compileExpression } from './expression.ts';
import { fieldType } from './feast-types.ts';

export interface FeastCase {
  readonly id: string;
  readonly kind: 'pit' | 'online' | 'materialize';
  readonly clock?: string;
  readonly entities: readonly { name: string; join_key: string; type: string }[];
  readonly feature_views: readonly FeastView[];
  readonly on_demand_feature_views?: readonly FeastOnDemandView[];
  readonly feature_services?: readonly FeastService[];
  readonly request: Record<string, unknown>;
  readonly expected: Record<string, unknown>;
}

interface FeastView {
  readonly name: string;
  readonly join_keys: readonly string[];
  readonly ttl_seconds: number | null;
  readonly timestamp_field: string;
  readonly created_timestamp_field: string | null;
  readonly features: readonly { name: string; type: string }[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly enabled?: boolean;
  readonly online?: boolean;
  readonly offline?: boolean;
  readonly push_source?: string;
}

interface FeastOnDemandView {
  readonly name: string;
  readonly sources: readonly string[];
  readonly request_fields: readonly { name: string; type: string }[];
  readonly outputs: readonly { name: string; type: string; expr: string }[];
}

interface FeastService {
  readonly name: string;
  readonly features: readonly {
    feature_view: string;
    features?: readonly string[];
    alias?: string;
    join_key_map?: Readonly<Record<string, string>>;
  }[];
}

export interface Fixture {
  readonly clock: ManualClock;
  readonly views: ReadonlyMap<string, FeatureView>;
  readonly definitions: readonly (Entity | FeatureView | OnDemandFeatureView | FeatureService)[];
}

/** «Now» of a case that names no clock. */
const DEFAULT_NOW = '2025-01-15T12:00:00Z';

export async function buildFixture(feastCase: FeastCase, directory: string): Promise<Fixture> {
  const clock = new ManualClock(Date.parse(feastCase.clock ?? DEFAULT_NOW));
  const entities = new Map(
    feastCase.entities.map(({ name, join_key, type }) => [
      join_key,
      entity({ name, joinKeys: { [join_key]: fieldType(type) as KeyType } }),
    ]),
  );
  const views = new Map<string, FeatureView>();
  for (const view of feastCase.feature_views) {
    views.set(view.name, await buildView(view, entities, directory));
  }
  const onDemand = new Map<string, OnDemandFeatureView>();
  for (const view of feastCase.on_demand_feature_views ?? []) {
    onDemand.set(view.name, buildOnDemandView(view, views));
  }
  const all = new Map<string, FeatureView | OnDemandFeatureView>([...views, ...onDemand]);
  const services = (feastCase.feature_services ?? []).map((s) => buildService(s, all));
  return {
    clock,
    views,
    definitions: [...entities.values(), ...views.values(), ...onDemand.values(), ...services],
  };
}

async function buildView(
  view: FeastView,
  entities: ReadonlyMap<string, Entity>,
  directory: string,
): Promise<FeatureView> {
  const keys = view.join_keys.map((key) => entities.get(key) as Entity);
  const schema = Object.fromEntries(view.features.map((f) => [f.name, fieldType(f.type)]));
  const fields: Record<string, FieldType> = { [view.timestamp_field]: 'timestamp' };
  if (view.created_timestamp_field) fields[view.created_timestamp_field] = 'timestamp';
  for (const key of keys) Object.assign(fields, key.joinKeys);
  Object.assign(fields, schema);
  const path = join(directory, 'history', `${view.name}.parquet`);
  await writeHistory(path, fields, view);
  return featureView({
    name: view.name,
    entities: keys,
    schema,
    source: parquetSource({
      name: view.push_source ?? `${view.name}_source`,
      path,
      schema: fields,
      timestampField: view.timestamp_field,
      ...(view.created_timestamp_field && { createdTimestampField: view.created_timestamp_field }),
    }),
    ttl: view.ttl_seconds ? `${view.ttl_seconds}s` : null,
    online: view.online ?? true,
    offline: view.offline ?? true,
    enabled: view.enabled ?? true,
  }) as unknown as FeatureView;
}

/** The rows as a Parquet file with the columns they have, which may not be those that are declared. */
async function writeHistory(
  path: string,
  fields: Readonly<Record<string, FieldType>>,
  view: FeastView,
): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const names =
    view.rows.length === 0
      ? Object.keys(fields)
      : [...new Set(view.rows.flatMap((row) => Object.keys(row)))];
  const columns = names.map(
    (name) => `${quoteIdentifier(name)} ${sqlType(fields[name], view, name)}`,
  );
  const duckdb = await openDuckdb({ threads: 1 });
  try {
    await duckdb.run(`CREATE TABLE history (${columns.join(', ')})`);
    for (const row of view.rows) {
      const values = names.map((name) => sqlValue(row[name]));
      await duckdb.run(`INSERT INTO history VALUES (${values.join(', ')})`);
    }
    await duckdb.run(`COPY history TO ${quoteLiteral(path)} (FORMAT parquet)`);
  } finally {
    await duckdb.close();
  }
}

function sqlType(type: FieldType | undefined, view: FeastView, name: string): string {
  const sql: Readonly<Record<string, string>> = {
    bool: 'BOOLEAN',
    bytes: 'BLOB',
    float32: 'FLOAT',
    float64: 'DOUBLE',
    int32: 'INTEGER',
    int64: 'BIGINT',
    string: 'VARCHAR',
    // Read with its offset: the cases mix time zones.
    timestamp: 'TIMESTAMPTZ',
  };
  if (type?.endsWith('[]')) return `${sql[type.slice(0, -2)]}[]`;
  if (type !== undefined) return sql[type] as string;
  const sample = view.rows.map((row) => row[name]).find((value) => value != null);
  return typeof sample === 'number'
    ? 'DOUBLE'
    : typeof sample === 'boolean'
      ? 'BOOLEAN'
      : 'VARCHAR';
}

function sqlValue(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (Array.isArray(value)) return `[${value.map(sqlValue).join(', ')}]`;
  return typeof value === 'string' ? quoteLiteral(value) : String(value);
}

function buildOnDemandView(
  view: FeastOnDemandView,
  views: ReadonlyMap<string, FeatureView>,
): OnDemandFeatureView {
  const outputs = view.outputs.map((output) => ({
    name: output.name,
    type: fieldType(output.type),
    evaluate: compileExpression(output.expr),
  }));
  const request = Object.fromEntries(view.request_fields.map((f) => [f.name, fieldType(f.type)]));
  const sources = view.sources.map((name) => views.get(name) as FeatureView);
  return onDemandFeatureView({
    name: view.name,
    sources:
      view.request_fields.length === 0
        ? sources
        : [...sources, requestSource({ name: `${view.name}_request`, schema: request })],
    schema: Object.fromEntries(outputs.map(({ name, type }) => [name, type])),
    transform: (row) =>
      Object.fromEntries(
        outputs.map(({ name, type, evaluate }) => {
          const value = evaluate(row as Record<string, unknown>);
          return [name, type === 'int64' && typeof value === 'number' ? BigInt(value) : value];
        }),
      ) as never,
  }) as unknown as OnDemandFeatureView;
}

function buildService(
  service: FeastService,
  views: ReadonlyMap<string, FeatureView | OnDemandFeatureView>,
): FeatureService {
  const features = service.features.map((use): FeatureRef => {
    const view = views.get(use.feature_view);
    if (view === undefined) throw new Error(`service names the unknown view ${use.feature_view}`);
    if (view.kind === 'onDemandFeatureView') {
      return use.features ? view.select(...use.features) : view;
    }
    let projection = makeProjection(view);
    if (use.features) projection = projection.select(...use.features) as never;
    if (use.alias) projection = projection.withName(use.alias);
    if (use.join_key_map) projection = projection.withJoinKeyMap(use.join_key_map) as never;
    return projection;
  });
  return featureService({ name: service.name, features });
}
