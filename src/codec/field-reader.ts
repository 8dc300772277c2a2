import { type Clock, systemClock } from '../core/clock.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { rowLayout } from '../core/row-batch.ts';
import type { TopicSource } from '../definition/index.ts';
import { AvroFiller } from './avro-filler.ts';
import { JsonFiller } from './json-decoder.ts';
import type { RowFiller } from './row-batch-builder.ts';
import type { SchemaRegistry } from './row-codec.ts';
import { RowError } from './row-error.ts';

export interface FieldReaderOptions {
  readonly source: TopicSource;
  /** Names of fields of the source. */
  readonly fields: readonly string[];
  /** Where writer schemas are looked up; JSON needs none. */
  readonly registry?: SchemaRegistry | undefined;
  readonly clock?: Clock;
}

/** Reads some fields of a record that may be no row. */
export interface FieldReader {
  /**
   * The fields that are there, are not null, and come before any damage. Nothing but these is looked
   * at: a row with a bad value in another field, or without an event time, has them all.
   * @throws FreshetError SCHEMA_REGISTRY_UNAVAILABLE
   */
  read(value: Uint8Array | null): Promise<ReadonlyMap<string, FieldValue>>;
}

export function createFieldReader(options: FieldReaderOptions): FieldReader {
  const { source, fields, registry, clock = systemClock } = options;
  const layout = rowLayout(
    Object.fromEntries(fields.map((name) => [name, source.schema[name] as FieldType])),
  );
  if (registry === undefined) {
    const filler = new JsonFiller(layout);
    return { read: async (value) => readFields(filler, layout.names, value) };
  }
  const filler = new AvroFiller(layout, null);
  return {
    read: async (value) => {
      const missing = filler.missingWriters({ count: 1, values: [value] }, clock.nowMs());
      for (const id of missing) {
        filler.addWriter(id, await registry.schemaById(id), clock.nowMs());
      }
      return readFields(filler, layout.names, value);
    },
  };
}

function readFields(
  filler: RowFiller,
  names: readonly string[],
  value: Uint8Array | null,
): ReadonlyMap<string, FieldValue> {
  const found = new Map<string, FieldValue>();
  const set = (column: number, field: FieldValue): void => {
    if (field !== null) found.set(names[column] as string, field);
  };
  try {
    if (value !== null && value.length > 0) filler.fill(value, { set });
  } catch (thrown) {
    if (!(thrown instanceof RowError)) throw thrown;
  }
  return found;
}
