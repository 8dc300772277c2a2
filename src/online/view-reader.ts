import type { FieldType, FieldValue } from '../core/field-type.ts';
import type { FeatureView } from '../definition/index.ts';

/** Which features of a view; the order is that of the answer. */
export interface ViewFeatures {
  readonly view: FeatureView;
  readonly features: readonly string[];
  readonly types: readonly FieldType[];
}

/** Newest rows of one view, column by column, in the order of the entities asked for. */
export interface RowColumns {
  /** `[feature][entity]`; null where the feature is absent or null. */
  readonly values: readonly (readonly FieldValue[])[];
  /** `[feature][entity]`: FEATURE_ABSENT, FEATURE_NULL or FEATURE_PRESENT. */
  readonly states: readonly Uint8Array[];
  /** Microseconds by entity; NaN where there is no row. */
  readonly eventTimesUs: Float64Array;
  /**
   * By entity: the stream's partition that the row is in, or would be in; BATCH_ROW for a row of
   * batch history, UNKNOWN_PARTITION where there is no row and no home.
   */
  readonly partitions: Int32Array;
  /**
   * By entity: the time that the values speak of, microseconds. The time of the read, but for windows
   * that could only be read at the edge of a tile before it.
   */
  readonly effectiveAtUs: Float64Array;
}

/** One view of a read: adds the keys that it needs, and makes its answer of what they hold. */
export interface ViewReader {
  readonly keyNames: readonly string[];
  /** `entities` are join key values, null where one is missing: then there is nothing. */
  prepare(
    entities: readonly (readonly FieldValue[])[],
    atUs: number,
    keys: Uint8Array[],
  ): (stored: readonly (Uint8Array | undefined)[]) => RowColumns;
}
