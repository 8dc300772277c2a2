import { type Clock, systemClock } from '../core/clock.ts';
import type { LogBatch } from '../log/index.ts';
import { AvroFiller } from './avro-filler.ts';
import { makeRowRules, RowBatchBuilder, type RowRulesOptions } from './row-batch-builder.ts';
import type { DecodedBatch, RowDecoder, SchemaRegistry } from './row-codec.ts';

export interface RowDecoderOptions extends RowRulesOptions {
  /** Where writer schemas are looked up; JSON needs none. */
  readonly registry?: SchemaRegistry;
  readonly clock?: Clock;
}

/**
 * Rows in Confluent's framing. Each writer schema is fetched and compiled once; while the registry
 * is away the known ones go on.
 * @throws FreshetError SCHEMA_REGISTRY_UNAVAILABLE from `decode`, for a writer not seen before
 */
export function createAvroDecoder(
  options: RowDecoderOptions & { readonly registry: SchemaRegistry },
): RowDecoder {
  const { registry, clock = systemClock } = options;
  const rules = makeRowRules(options);
  const filler = new AvroFiller(rules.layout, options.source.timestampField);

  const fetchWriters = async (ids: ReadonlySet<number>): Promise<void> => {
    for (const id of ids) filler.addWriter(id, await registry.schemaById(id), clock.nowMs());
  };
  const decodeKnown = (batch: LogBatch): DecodedBatch =>
    new RowBatchBuilder(rules, batch).addAll(filler);

  return {
    layout: rules.layout,
    decode: (batch) => {
      const missing = filler.missingWriters(batch, clock.nowMs());
      if (missing.size === 0) return decodeKnown(batch);
      return fetchWriters(missing).then(() => decodeKnown(batch));
    },
  };
}
