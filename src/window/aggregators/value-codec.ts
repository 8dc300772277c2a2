import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { canonicalJson } from '../../core/coerce.ts';
import { elementType, type FieldType, type FieldValue } from '../../core/field-type.ts';

/** Writes values of one type so that equal values have equal bytes and a reader gets them back. */
export interface ValueCodec {
  write(value: FieldValue, out: ByteWriter): void;
  read(input: ByteReader): FieldValue;
}

export function valueCodec(type: FieldType): ValueCodec {
  const element = elementType(type);
  if (element !== null) return arrayCodec(valueCodec(element));
  const codec = CODECS[type];
  return codec as ValueCodec;
}

const CODECS: Readonly<Record<string, ValueCodec>> = {
  int32: {
    write: (value, out) => out.i32(value as number),
    read: (input) => input.i32(),
  },
  int64: {
    write: (value, out) => out.i64(value as bigint),
    read: (input) => input.i64(),
  },
  float32: { write: writeDouble, read: (input) => input.f64() },
  float64: { write: writeDouble, read: (input) => input.f64() },
  timestamp: { write: writeDouble, read: (input) => input.f64() },
  bool: {
    write: (value, out) => out.u8(value === true || value === 1 ? 1 : 0),
    read: (input) => input.u8() === 1,
  },
  string: {
    write: (value, out) => out.string(value as string),
    read: (input) => input.string(),
  },
  bytes: {
    write: (value, out) => out.bytes(value as Uint8Array),
    read: (input) => Uint8Array.from(input.bytes()),
  },
  json: {
    write: (value, out) => out.string(canonicalJson(value)),
    read: (input) => JSON.parse(input.string()) as FieldValue,
  },
};

/** All NaNs are one NaN. */
function writeDouble(value: FieldValue, out: ByteWriter): void {
  out.f64(Number.isNaN(value as number) ? Number.NaN : (value as number));
}

function arrayCodec(element: ValueCodec): ValueCodec {
  return {
    write: (value, out) => {
      const items = value as readonly FieldValue[];
      out.varint(items.length);
      for (const item of items) element.write(item, out);
    },
    read: (input) =>
      Array.from({ length: input.varint() }, () => element.read(input)) as unknown as FieldValue,
  };
}
