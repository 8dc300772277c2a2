import { toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { recordKeyText } from '../core/record-key.ts';
import { formatTimestampUs } from '../core/time.ts';
import type { FeatureView } from '../definition/index.ts';

/** The values of one window of one entity. Times in microseconds. */
export interface WindowResult {
  /** Join key values in the order of the view's join keys. */
  readonly keys: readonly FieldValue[];
  readonly label: string;
  readonly startUs: number;
  /** The time of the result: at the start its values were not known. */
  readonly endUs: number;
  /** Stream time at which the window is closed. */
  readonly availableAtUs: number;
  readonly isFinal: boolean;
  readonly values: ReadonlyMap<string, FieldValue>;
}

/**
 * A result as the key and the value of a record: JSON with the join keys, `window`, `window_start`,
 * `window_end`, `event_timestamp` (the window's end), `available_at`, `final`, and the features.
 */
export function encodeResult(
  view: FeatureView,
  result: WindowResult,
): { readonly key: Uint8Array | null; readonly value: Uint8Array } {
  const names = Object.keys(view.joinKeys);
  const types = Object.values(view.joinKeys) as FieldType[];
  const entity = names.map((name, k) => {
    return [name, toJsonValue(types[k] as FieldType, result.keys[k] as FieldValue)];
  });
  const features = [...result.values].map(([feature, value]) => {
    return [feature, toJsonValue(view.schema[feature] as FieldType, value)];
  });
  const end = formatTimestampUs(result.endUs);
  const json = {
    ...Object.fromEntries(entity),
    window: result.label,
    window_start: formatTimestampUs(result.startUs),
    window_end: end,
    event_timestamp: end,
    available_at: formatTimestampUs(result.availableAtUs),
    final: result.isFinal,
    ...Object.fromEntries(features),
  };
  const key = names.length === 0 ? null : Buffer.from(recordKeyText(types, result.keys));
  return { key, value: Buffer.from(JSON.stringify(json)) };
}
