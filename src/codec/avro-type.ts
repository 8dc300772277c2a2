/** The one door to avsc: schemas as types, and which can read which. */
import avsc from 'avsc';
import { canonicalJson } from '../core/coerce.ts';
import { FreshetError } from '../errors.ts';

export type AvroType = avsc.Type;
export type AvroField = avsc.types.Field;

/**
 * A schema as a tree of types. Logical types stay visible: see `logicalNameOf`.
 * @throws FreshetError SCHEMA_INCOMPATIBLE for what is not an Avro schema
 */
export function parseAvroType(schema: string): AvroType {
  return parse(schema, { logicalTypes: ANNOTATIONS });
}

/** The type under a logical type, or the type itself. */
export function underlyingType(type: AvroType): AvroType {
  return type instanceof avsc.types.LogicalType ? type.underlyingType : type;
}

/** The name of a logical type, or null. */
export function logicalNameOf(type: AvroType): string | null {
  return type instanceof avsc.types.LogicalType ? type.typeName.slice('logical:'.length) : null;
}

/** Digits after the point of a decimal. */
export function decimalScaleOf(type: AvroType): number {
  return type instanceof Annotation ? type.scale : 0;
}

/** Equal schemas in one form, whatever their spacing and order. @throws FreshetError SCHEMA_INCOMPATIBLE */
export function normalizeAvroSchema(schema: string): string {
  parse(schema, {});
  return canonicalJson(JSON.parse(schema));
}

/** Why data written with `writer` cannot be read with `reader`; empty when it can. */
export function avroIncompatibilities(reader: string, writer: string): string[] {
  try {
    parse(reader, {}).createResolver(parse(writer, {}), { ignoreNamespaces: true });
    return [];
  } catch (thrown) {
    return [thrown instanceof Error ? thrown.message : String(thrown)];
  }
}

function parse(schema: string, options: Partial<avsc.ForSchemaOptions>): AvroType {
  try {
    return avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema, options);
  } catch (thrown) {
    const what = thrown instanceof Error ? thrown.message : String(thrown);
    throw new FreshetError('SCHEMA_INCOMPATIBLE', `not an Avro schema: ${what}`, { cause: thrown });
  }
}

/** Keeps the name and the scale of a logical type; its values are read by the engine itself. */
class Annotation extends avsc.types.LogicalType {
  readonly scale: number;

  constructor(schema: avsc.Schema, options?: unknown) {
    super(schema, options);
    this.scale = Number((schema as { scale?: unknown }).scale ?? 0);
  }

  protected override _fromValue(value: unknown): unknown {
    return value;
  }

  protected override _toValue(value: unknown): unknown {
    return value;
  }
}

const ANNOTATIONS = Object.fromEntries(
  [
    'decimal',
    'date',
    'timestamp-millis',
    'timestamp-micros',
    'timestamp-nanos',
    'local-timestamp-millis',
    'local-timestamp-micros',
    'local-timestamp-nanos',
  ].map((name) => [name, Annotation]),
) as unknown as avsc.ForSchemaOptions['logicalTypes'];
