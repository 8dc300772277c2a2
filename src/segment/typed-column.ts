import type { FieldType, FieldValue, JsonValue } from '../core/field-type.ts';
import type { Column } from '../core/row-batch.ts';
import { FreshetError } from '../errors.ts';

/** A column of a Parquet file under its declared type: json is text in files. @throws FreshetError VALUE_TYPE */
export function typedColumn(column: Column, type: FieldType, name: string): Column {
  if (type !== 'json') return column;
  const texts = column.values as (string | null)[];
  return { type, values: texts.map((text) => parseJson(text, name)), valid: column.valid };
}

function parseJson(text: string | null, column: string): FieldValue {
  if (text === null) return null;
  try {
    return JSON.parse(text) as JsonValue;
  } catch (thrown) {
    throw new FreshetError('VALUE_TYPE', `column "${column}" holds text that is not JSON`, {
      where: { column },
      cause: thrown,
    });
  }
}
