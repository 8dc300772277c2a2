import { isFieldType, type Schema } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import { type Metadata, metadata, type Tags } from './entity.ts';
import { requireName } from './name.ts';
import type { NoFields, ReadTypes } from './read-types.ts';

/** A topic of the log that carries feature rows. One topic has one source. */
export interface TopicSource<S extends Schema = Schema> {
  readonly kind: 'topicSource';
  readonly name: string;
  readonly topic: string;
  /** Fields the engine reads; the reader's side of schema evolution. */
  readonly schema: S;
  readonly format: RowFormat;
  readonly timestampField: string;
  readonly createdTimestampField: string | null;
  /** Fields whose values make the record key, in order; empty: records have no key. */
  readonly keyFields: readonly string[];
  /** How far behind the newest row stream time stays. */
  readonly outOfOrderMs: number;
  /** A partition without rows for this long is declared idle. */
  readonly idleMs: number;
  /** Rows further ahead of their arrival than this are dead letters. */
  readonly maxAheadMs: number;
  /** Partitions `apply` creates the topic with. */
  readonly partitions: number;
  readonly description: string;
  readonly tags: Tags;
  readonly owner: string;
}

export type RowFormat = 'avro' | 'json';

/** Batch history in Parquet: a file, a glob or a folder. */
export interface ParquetSource<S extends Schema = Schema> {
  readonly kind: 'parquetSource';
  readonly name: string;
  readonly path: string;
  readonly schema: S;
  readonly timestampField: string;
  readonly createdTimestampField: string | null;
  /** Column of the file by field name, where they differ. */
  readonly columnMap: Readonly<Record<string, string>>;
  readonly description: string;
  readonly tags: Tags;
  readonly owner: string;
}

/** Values the caller sends with a request, for on-demand feature views. */
export interface RequestSource<S extends Schema = Schema> {
  readonly kind: 'requestSource';
  readonly name: string;
  readonly schema: S;
  /** Carries the types; absent when the code runs. */
  readonly types?: ReadTypes<never, NoFields, NoFields, S>;
  readonly description: string;
  readonly tags: Tags;
  readonly owner: string;
}

export type Source = TopicSource | ParquetSource | RequestSource;

export interface TopicSourceSpec<S extends Schema> extends Metadata {
  readonly name: string;
  readonly topic: string;
  readonly schema: S;
  readonly timestampField: keyof S & string;
  readonly createdTimestampField?: keyof S & string;
  /** Default `avro`. */
  readonly format?: RowFormat;
  /** Default: none. Name the join keys of the views, so that an entity stays in one partition. */
  readonly keyFields?: readonly (keyof S & string)[];
  /** Default 0. */
  readonly outOfOrderMs?: number;
  /** Default 60,000. */
  readonly idleMs?: number;
  /** Default one day: a clock may be wrong by a time zone. */
  readonly maxAheadMs?: number;
  /** Default 4. */
  readonly partitions?: number;
}

/**
 * @example
 * topicSource({
 *   name: 'flights', topic: 'flights',
 *   schema: { date: 'timestamp', origin: 'string', delay: 'int32' },
 *   timestampField: 'date', keyFields: ['origin'],
 * })
 * @throws FreshetError DEFINITION_INVALID
 */
export function topicSource<const S extends Schema>(spec: TopicSourceSpec<S>): TopicSource<S> {
  requireName('source', spec.name);
  requireSchema(spec.name, spec.schema);
  requireTimeFields(spec);
  for (const field of spec.keyFields ?? []) requireField(spec, 'keyFields', field);
  return Object.freeze({
    kind: 'topicSource',
    name: spec.name,
    topic: requireTopic(spec.topic),
    schema: spec.schema,
    format: spec.format ?? 'avro',
    timestampField: spec.timestampField,
    createdTimestampField: spec.createdTimestampField ?? null,
    keyFields: Object.freeze([...(spec.keyFields ?? [])]),
    outOfOrderMs: requireWhole(spec.name, 'outOfOrderMs', spec.outOfOrderMs ?? 0, 0),
    idleMs: requireWhole(spec.name, 'idleMs', spec.idleMs ?? 60_000, 1),
    maxAheadMs: requireWhole(spec.name, 'maxAheadMs', spec.maxAheadMs ?? 86_400_000, 0),
    partitions: requireWhole(spec.name, 'partitions', spec.partitions ?? 4, 1),
    ...metadata(spec),
  });
}

export interface ParquetSourceSpec<S extends Schema> extends Metadata {
  readonly name: string;
  /** A file, a glob or a folder, relative to the feature repository. */
  readonly path: string;
  readonly schema: S;
  readonly timestampField: keyof S & string;
  readonly createdTimestampField?: keyof S & string;
  readonly columnMap?: Readonly<Partial<Record<keyof S & string, string>>>;
}

/** @throws FreshetError DEFINITION_INVALID */
export function parquetSource<const S extends Schema>(
  spec: ParquetSourceSpec<S>,
): ParquetSource<S> {
  requireName('source', spec.name);
  requireSchema(spec.name, spec.schema);
  requireTimeFields(spec);
  for (const field of Object.keys(spec.columnMap ?? {})) requireField(spec, 'columnMap', field);
  return Object.freeze({
    kind: 'parquetSource',
    name: spec.name,
    path: spec.path,
    schema: spec.schema,
    timestampField: spec.timestampField,
    createdTimestampField: spec.createdTimestampField ?? null,
    columnMap: Object.freeze({ ...(spec.columnMap as Record<string, string> | undefined) }),
    ...metadata(spec),
  });
}

/** @throws FreshetError DEFINITION_INVALID */
export function requestSource<const S extends Schema>(
  spec: { readonly name: string; readonly schema: S } & Metadata,
): RequestSource<S> {
  requireName('source', spec.name);
  requireSchema(spec.name, spec.schema);
  return Object.freeze({
    kind: 'requestSource',
    name: spec.name,
    schema: spec.schema,
    ...metadata(spec),
  });
}

/** @throws FreshetError DEFINITION_INVALID naming the field with an unknown type */
export function requireSchema(owner: string, schema: Schema): void {
  for (const [field, type] of Object.entries(schema)) {
    requireName('field', field);
    if (field.startsWith('_')) throw invalid(owner, `field "${field}" begins with an underscore`);
    if (!isFieldType(type)) throw invalid(owner, `field "${field}" has the unknown type ${type}`);
  }
}

interface TimeFields {
  readonly name: string;
  readonly schema: Schema;
  readonly timestampField: string;
  readonly createdTimestampField?: string | undefined;
}

function requireTimeFields(spec: TimeFields): void {
  const fields = [
    ['timestampField', spec.timestampField],
    ['createdTimestampField', spec.createdTimestampField],
  ] as const;
  for (const [option, field] of fields) {
    if (field === undefined) continue;
    requireField(spec, option, field);
    if (spec.schema[field] !== 'timestamp') {
      throw invalid(
        spec.name,
        `${option} "${field}" has type ${spec.schema[field]}, not timestamp`,
      );
    }
  }
}

function requireField(spec: { name: string; schema: Schema }, option: string, field: string): void {
  if (!Object.hasOwn(spec.schema, field)) {
    throw invalid(spec.name, `${option} names "${field}", which is not in the schema`);
  }
}

/** @throws FreshetError DEFINITION_INVALID */
export function requireTopic(topic: string): string {
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic) || topic === '.' || topic === '..') {
    throw new FreshetError('DEFINITION_INVALID', `"${topic}" is not a topic name`, {
      next: 'Kafka allows letters, digits, dots, underscores and dashes, 249 at most.',
    });
  }
  return topic;
}

function requireWhole(name: string, option: string, value: number, min: number): number {
  if (!Number.isSafeInteger(value) || value < min) {
    throw invalid(name, `${option} is ${value}; it must be a whole number, ${min} or more`);
  }
  return value;
}

function invalid(source: string, what: string): FreshetError {
  return new FreshetError('DEFINITION_INVALID', `source "${source}": ${what}`, {
    where: { source },
  });
}
