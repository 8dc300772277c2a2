import { toJsonValue } from './coerce.ts';
import type { FieldType, FieldValue } from './field-type.ts';

/**
 * The text of a record key, which decides the partition: the value of one key field, or a JSON array
 * of several. Producers write it; reads work out the home partition of an entity from it.
 */
export function recordKeyText(types: readonly FieldType[], values: readonly FieldValue[]): string {
  const parts = types.map((type, i) => toJsonValue(type, values[i] ?? null));
  const [first] = parts;
  if (parts.length > 1) return JSON.stringify(parts);
  return typeof first === 'string' ? first : String(first);
}
