/** Builds definitions from the objects of a registry case; what a case does not say gets a default. */
import type { FieldType, KeyType, Schema } from '../../src/core/field-type.ts';
import {
  type Definition,
  type Entity,
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  type ParquetSource,
  parquetSource,
  requestSource,
  type TopicSource,
  topicSource,
} from '../../src/definition/index.ts';
import { fieldType } from './feast-types.ts';

export interface GivenObject {
  readonly type: string;
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly description?: string;
  readonly owner?: string;
  readonly entities?: readonly string[];
  readonly join_key?: string;
  readonly value_type?: string;
  readonly source?: string | GivenSource;
  readonly features?: readonly (string | { readonly name: string; readonly type: string })[];
  readonly ttl_seconds?: number | null;
  readonly online?: boolean;
  readonly udf_text?: string;
  readonly path?: string;
  /** Of a view that is applied: how far it has come. */
  readonly state?: string;
}

interface GivenSource {
  readonly type: string;
  readonly name: string;
  readonly batch_source?: string;
}

const DEFAULT_FEATURES = [{ name: 'value', type: 'INT32' }];

/** Definitions in the order of the objects. @throws Error for a type that it does not know */
export function buildObjects(objects: readonly GivenObject[]): Definition[] {
  const world = new World(objects);
  return objects.map((object) => world.build(object));
}

/** What the objects share: entities and sources by name, and one schema for all sources. */
class World {
  readonly #entities = new Map<string, Entity>();
  readonly #sources = new Map<string, ParquetSource | TopicSource>();
  readonly #views = new Map<string, Definition>();
  readonly #schema: Record<string, FieldType> = { event_timestamp: 'timestamp' };

  constructor(objects: readonly GivenObject[]) {
    for (const object of objects.filter(({ type }) => type === 'entity')) this.#addEntity(object);
    for (const object of objects) {
      for (const name of object.entities ?? []) this.#addEntity({ type: 'entity', name });
      if (object.type.endsWith('feature_view')) Object.assign(this.#schema, featuresOf(object));
    }
    for (const { joinKeys } of this.#entities.values()) Object.assign(this.#schema, joinKeys);
  }

  build(object: GivenObject): Definition {
    switch (object.type) {
      case 'entity':
        return this.#entities.get(object.name) as Entity;
      case 'file_source':
        return this.#parquet(object.name, object);
      case 'push_source':
      case 'kafka_source':
        return this.#topic(object.name, object);
      case 'request_source':
        return requestSource({ name: object.name, schema: featuresOf(object), ...meta(object) });
      case 'feature_view':
      case 'batch_feature_view':
      case 'stream_feature_view':
        return this.#view(object);
      case 'on_demand_feature_view':
        return this.#onDemandView(object);
      case 'feature_service':
        return this.#service(object);
      default:
        throw new Error(`unknown type of object: ${object.type}`);
    }
  }

  #addEntity(object: GivenObject): void {
    if (this.#entities.has(object.name)) return;
    const type = fieldType(object.value_type ?? 'INT64') as KeyType;
    const joinKeys = { [object.join_key ?? object.name]: type };
    this.#entities.set(object.name, entity({ name: object.name, joinKeys, ...meta(object) }));
  }

  #view(object: GivenObject): Definition {
    const kind = object.type === 'stream_feature_view' ? 'kafka' : 'file';
    const given = object.source ?? `${kind}_source`;
    const source: GivenSource = isText(given) ? { type: kind, name: given } : given;
    const { type, name, batch_source } = source;
    if (type !== 'file' && type !== 'push' && type !== 'kafka') {
      throw new Error(`unknown type of source: ${type}`);
    }
    const view = featureView({
      name: object.name,
      entities: (object.entities ?? []).map((key) => this.#entities.get(key) as Entity),
      source: type === 'file' ? this.#parquet(name) : this.#topic(name),
      ...(batch_source !== undefined && { batchSource: this.#parquet(batch_source) }),
      schema: featuresOf(object),
      ttl: object.ttl_seconds ? `${object.ttl_seconds}s` : null,
      online: object.online ?? true,
      ...meta(object),
    }) as unknown as Definition;
    this.#views.set(object.name, view);
    return view;
  }

  #onDemandView(object: GivenObject): Definition {
    const view = onDemandFeatureView({
      name: object.name,
      sources: [requestSource({ name: 'request', schema: { input: 'string' } })],
      schema: featuresOf(object),
      transform: new Function(
        'row',
        `return { value: ${JSON.stringify(object.udf_text)} };`,
      ) as never,
      ...meta(object),
    }) as unknown as Definition;
    this.#views.set(object.name, view);
    return view;
  }

  #service(object: GivenObject): Definition {
    const features = (object.features ?? []).map((feature) => {
      const view = this.#views.get(isText(feature) ? feature : feature.name);
      if (view === undefined) throw new Error(`service ${object.name} uses an unknown view`);
      return view as never;
    });
    return featureService({ name: object.name, features, ...meta(object) });
  }

  #parquet(name: string, object?: GivenObject): ParquetSource {
    return this.#source(`file ${name}`, () =>
      parquetSource({
        name,
        path: object?.path ?? 'history.parquet',
        schema: this.#schema,
        timestampField: 'event_timestamp',
        ...meta(object),
      }),
    );
  }

  #topic(name: string, object?: GivenObject): TopicSource {
    return this.#source(`topic ${name}`, () =>
      topicSource({
        name,
        topic: name,
        schema: this.#schema,
        timestampField: 'event_timestamp',
        ...meta(object),
      }),
    );
  }

  #source<S extends ParquetSource | TopicSource>(key: string, make: () => S): S {
    const known = this.#sources.get(key) as S | undefined;
    const source = known ?? make();
    this.#sources.set(key, source);
    return source;
  }
}

function featuresOf({ features = DEFAULT_FEATURES }: GivenObject): Schema {
  return Object.fromEntries(
    features.map((feature) =>
      isText(feature) ? [feature, 'int32'] : [feature.name, fieldType(feature.type)],
    ),
  );
}

function meta({ tags = {}, description = '', owner = '' }: Partial<GivenObject> = {}) {
  return { tags, description, owner };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
