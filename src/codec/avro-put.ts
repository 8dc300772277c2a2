import { canonicalJson } from '../core/coerce.ts';
import {
  elementType,
  type FieldType,
  type FieldValue,
  type ScalarType,
} from '../core/field-type.ts';
import type { AvroOutput } from './avro-output.ts';

/** Writes one stored value as the type that `avroSchemaOf` gives its field. */
export type AvroPut = (output: AvroOutput, value: FieldValue) => void;

export function avroPutOf(type: FieldType): AvroPut {
  if (type === 'json') return (output, value) => output.writeString(canonicalJson(value));
  const element = elementType(type);
  return element === null ? SCALARS[type as ScalarType] : arrayPut(SCALARS[element]);
}

/** The union of null and the type, null first. */
export function nullable(put: AvroPut): AvroPut {
  return (output, value) => {
    output.writeLong(value === null ? 0 : 1);
    if (value !== null) put(output, value);
  };
}

const putLong: AvroPut = (output, value) => output.writeLong(value as number);

const SCALARS: Readonly<Record<ScalarType, AvroPut>> = {
  int32: putLong,
  int64: (output, value) => output.writeBigLong(value as bigint),
  float32: (output, value) => output.writeFloat(value as number),
  float64: (output, value) => output.writeDouble(value as number),
  string: (output, value) => output.writeString(value as string),
  bool: (output, value) => output.writeBoolean(value as boolean),
  bytes: (output, value) => output.writeBytes(value as Uint8Array),
  timestamp: putLong,
};

function arrayPut(put: AvroPut): AvroPut {
  return (output, value) => {
    const items = value as readonly FieldValue[];
    if (items.length > 0) output.writeLong(items.length);
    for (const item of items) put(output, item);
    output.writeLong(0);
  };
}
