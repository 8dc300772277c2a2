/** The one door to avsc: schemas as types, compatibility, and the types rows are encoded with. */
import avsc from 'avsc';
import { canonicalJson } from '../core/coerce.ts';
import { FreshetError } from '../errors.ts';

export type AvroType = avsc.Type;
export type AvroRecordType = avsc.types.RecordType;
export type AvroField = avsc.types.Field;

/**
 * A schema as a tree of types. Logical types stay visible: see `logicalNameOf`.
 * @throws FreshetError SCHEMA_INCOMPATIBLE for what is not an Avro schema
 */
export function parseAvroType(schema: string): AvroType {
  return parse(schema, { logicalTypes: ANNOTATIONS });
}

/** The type that rows of a source are encoded with: longs are bigint where `isBigLong` says so. */
export function parseEncoderType(schema: string, bigLongFields: ReadonlySet<string>): AvroType {
  const { fields, ...record } = JSON.parse(schema) as {
    fields: { name: string; type: unknown }[];
  };
  const marked = fields.map((field) =>
    bigLongFields.has(field.name) ? { ...field, type: markLongs(field.type) } : field,
  );
  return avsc.Type.forSchema(
    { ...record, fields: marked } as unknown as avsc.Schema,
    {
      typeHook: (type) => ((type as unknown) === BIG_LONG_MARK ? BIG_LONG : undefined),
    } as Partial<avsc.ForSchemaOptions>,
  );
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

const BIG_LONG_MARK = 'freshet.BigLong';

function markLongs(type: unknown): unknown {
  if (type === 'long') return BIG_LONG_MARK;
  if (Array.isArray(type)) return type.map(markLongs);
  if (typeof type !== 'object' || type === null) return type;
  const { items } = type as { items?: unknown };
  return items === undefined ? type : { ...type, items: markLongs(items) };
}

const BIG_LONG = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});
