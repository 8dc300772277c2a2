import type { FieldType } from '../../src/core/field-type.ts';

const TYPES: Readonly<Record<string, FieldType>> = {
  BOOL: 'bool',
  BYTES: 'bytes',
  DOUBLE: 'float64',
  FLOAT: 'float32',
  INT32: 'int32',
  INT64: 'int64',
  STRING: 'string',
  UNIX_TIMESTAMP: 'timestamp',
};

/** @throws Error for a type that the cases' readers do not know, so that none is skipped unseen */
export function fieldType(type: string): FieldType {
  const list = /^(\w+)_LIST$/.exec(type);
  const found = list ? (`${fieldType(list[1] as string)}[]` as FieldType) : TYPES[type];
  if (found === undefined) throw new Error(`unknown Feast type ${type}`);
  return found;
}
