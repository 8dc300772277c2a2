import { type Coercer, coercerOf, toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { recordKeyText } from '../core/record-key.ts';
import type { TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { AvroOutput } from './avro-output.ts';
import { avroPutOf, nullable } from './avro-put.ts';
import type { RowEncoder } from './row-codec.ts';
import { WIRE_HEADER_BYTES, writeSchemaId } from './wire-format.ts';

export interface RowEncoderOptions {
  readonly source: TopicSource;
  /** The id of the source's schema in the registry; JSON needs none. */
  readonly schemaId?: number;
}

/**
 * The encoder of the source's format. Fields of a row that the source does not name are left out.
 * @throws FreshetError INVALID_ARGUMENT for Avro without a schema id
 */
export function createRowEncoder(options: RowEncoderOptions): RowEncoder {
  const { source, schemaId } = options;
  const write = source.format === 'json' ? jsonWriter(source) : avroWriter(source, schemaId);
  const names = Object.keys(source.schema);
  const coercers = names.map((name) => fieldCoercer(source, name));
  // One object for all rows: `write` is done with it before the next row.
  const checked: Record<string, FieldValue> = Object.fromEntries(names.map((name) => [name, null]));
  return {
    encode: (row) => {
      for (let i = 0; i < names.length; i++) {
        const name = names[i] as string;
        checked[name] = (coercers[i] as Coercer)(Object.hasOwn(row, name) ? row[name] : null);
      }
      return write(checked);
    },
    encodeKey: keyWriter(source),
  };
}

type RowWriter = (row: Readonly<Record<string, FieldValue>>) => Uint8Array;

function avroWriter(source: TopicSource, schemaId: number | undefined): RowWriter {
  if (schemaId === undefined) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `no schema id for the Avro source "${source.name}"`,
      {
        where: { source: source.name },
      },
    );
  }
  const output = new AvroOutput();
  const fields = Object.entries(source.schema).map(([name, type]) => {
    const put = avroPutOf(type);
    return { name, put: name === source.timestampField ? put : nullable(put) };
  });
  return (row) => {
    writeSchemaId(output.reset(WIRE_HEADER_BYTES), schemaId);
    for (const { name, put } of fields) put(output, row[name] as FieldValue);
    return output.take();
  };
}

function jsonWriter(source: TopicSource): RowWriter {
  const fields = Object.entries(source.schema);
  return (row) => {
    const object: Record<string, unknown> = {};
    for (const [name, type] of fields) object[name] = toJsonValue(type, row[name] as FieldValue);
    return Buffer.from(JSON.stringify(object));
  };
}

function keyWriter(source: TopicSource): RowEncoder['encodeKey'] {
  const { keyFields, schema } = source;
  if (keyFields.length === 0) return () => null;
  const types = keyFields.map((name) => schema[name] as FieldType);
  const coercers = keyFields.map((name) => fieldCoercer(source, name));
  return (row) => {
    const values = keyFields.map((name, i) => {
      const value = (coercers[i] as Coercer)(Object.hasOwn(row, name) ? row[name] : null);
      if (value === null) throw refused(source, 'ROW_KEY_NULL', name, 'is null');
      return value;
    });
    return Buffer.from(recordKeyText(types, values));
  };
}

function fieldCoercer(source: TopicSource, name: string): Coercer {
  const coerce = coercerOf(source.schema[name] as FieldType);
  const isEventTime = name === source.timestampField;
  return (input) => {
    let value: FieldValue;
    try {
      value = coerce(input);
    } catch (thrown) {
      if (!(thrown instanceof FreshetError)) throw thrown;
      throw refused(source, 'ROW_TYPE', name, `is refused: ${thrown.message}`);
    }
    if (value === null && isEventTime) throw refused(source, 'ROW_TIME_NULL', name, 'is null');
    return value;
  };
}

function refused(
  source: TopicSource,
  code: 'ROW_TYPE' | 'ROW_KEY_NULL' | 'ROW_TIME_NULL',
  field: string,
  what: string,
): FreshetError {
  return new FreshetError(code, `field "${field}" ${what}`, {
    where: { source: source.name, column: field },
  });
}
