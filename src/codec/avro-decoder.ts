import { type Clock, systemClock } from '../core/clock.ts';
import type { FieldType } from '../core/field-type.ts';
import { type ErrorCode, FreshetError } from '../errors.ts';
import type { LogBatch } from '../log/index.ts';
import { AvroCursor } from './avro-cursor.ts';
import { type AvroReader, avroReaderOf } from './avro-reader.ts';
import { type AvroSkipper, avroSkipperOf } from './avro-skipper.ts';
import { type AvroField, type AvroType, parseAvroType, underlyingType } from './avro-type.ts';
import {
  makeRowRules,
  RowBatchBuilder,
  type RowFiller,
  type RowRules,
  type RowRulesOptions,
} from './row-batch-builder.ts';
import type { DecodedBatch, RowDecoder, SchemaRegistry } from './row-codec.ts';
import { RowError } from './row-error.ts';
import { readSchemaId, WIRE_HEADER_BYTES } from './wire-format.ts';

export interface RowDecoderOptions extends RowRulesOptions {
  /** Where writer schemas are looked up; JSON needs none. */
  readonly registry?: SchemaRegistry;
  readonly clock?: Clock;
}

/** An unknown id is asked for again after this long: its registration may only be late. */
const UNKNOWN_ID_MS = 30_000;
/** Garbage may carry any id; beyond this many the unknown ones are forgotten. */
const WRITERS_MAX = 10_000;

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
  const filler = new AvroFiller(rules, options.source.timestampField);

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

/** What is known of one writer schema: how to read its rows, or why they cannot be read. */
type Writer =
  | { readonly steps: readonly Step[] }
  | { readonly code: ErrorCode; readonly reason: string; readonly forgetAtMs: number };

/** One field of the writer in its order: read into a column, or stepped over (column -1). */
interface Step {
  readonly column: number;
  readonly read: AvroReader;
}

class AvroFiller implements RowFiller {
  readonly #rules: RowRules;
  readonly #timestampField: string;
  readonly #writers = new Map<number, Writer>();
  readonly #cursor = new AvroCursor();

  constructor(rules: RowRules, timestampField: string) {
    this.#rules = rules;
    this.#timestampField = timestampField;
  }

  /** Ids in the batch that must be fetched before it can be decoded. */
  missingWriters(batch: LogBatch, nowMs: number): ReadonlySet<number> {
    const missing = new Set<number>();
    let known = -1;
    for (let i = 0; i < batch.count; i++) {
      const value = batch.values[i];
      if (value?.[0] !== 0 || value.length < WIRE_HEADER_BYTES) continue;
      const id = readSchemaId(value);
      if (id === known) continue;
      const writer = this.#writers.get(id);
      if (writer === undefined || ('code' in writer && writer.forgetAtMs <= nowMs)) missing.add(id);
      else known = id;
    }
    return missing;
  }

  addWriter(id: number, schema: string | null, nowMs: number): void {
    if (this.#writers.size >= WRITERS_MAX) this.#forgetUnreadable();
    this.#writers.set(id, compileWriter(id, schema, nowMs, this.#rules, this.#timestampField));
  }

  fill(value: Uint8Array, builder: RowBatchBuilder): void {
    const steps = this.#stepsOf(readSchemaId(value));
    const cursor = this.#cursor;
    cursor.reset(value, WIRE_HEADER_BYTES);
    let i = 0;
    try {
      for (; i < steps.length; i++) {
        const { column, read } = steps[i] as Step;
        const fieldValue = read(cursor);
        if (column >= 0) builder.set(column, fieldValue);
      }
    } catch (thrown) {
      throw withField(thrown, this.#rules.layout.names[(steps[i] as Step).column]);
    }
    cursor.finish();
  }

  #stepsOf(id: number): readonly Step[] {
    const writer = this.#writers.get(id);
    if (writer === undefined) throw new RowError('SCHEMA_ID_UNKNOWN', `schema id ${id} is unknown`);
    if ('code' in writer) throw new RowError(writer.code, writer.reason);
    return writer.steps;
  }

  #forgetUnreadable(): void {
    for (const [id, writer] of this.#writers) if ('code' in writer) this.#writers.delete(id);
  }
}

function withField(thrown: unknown, field: string | undefined): unknown {
  if (!(thrown instanceof RowError) || field === undefined) return thrown;
  return new RowError(thrown.code, `field "${field}": ${thrown.message}`);
}

function compileWriter(
  id: number,
  schema: string | null,
  nowMs: number,
  rules: RowRules,
  timestampField: string,
): Writer {
  if (schema === null) {
    const reason = `schema id ${id} is unknown to the registry`;
    return { code: 'SCHEMA_ID_UNKNOWN', reason, forgetAtMs: nowMs + UNKNOWN_ID_MS };
  }
  try {
    return { steps: compileSteps(parseAvroType(schema), rules, timestampField) };
  } catch (thrown) {
    if (!(thrown instanceof FreshetError)) throw thrown;
    const reason = `schema id ${id}: ${thrown.message}`;
    return { code: thrown.code, reason, forgetAtMs: Number.POSITIVE_INFINITY };
  }
}

function compileSteps(writer: AvroType, rules: RowRules, timestampField: string): readonly Step[] {
  const record = underlyingType(writer);
  if (record.typeName !== 'record') throw incompatible(`it is a ${record.typeName}, not a record`);
  const { fields } = record as unknown as { fields: readonly AvroField[] };
  if (!fields.some((field) => field.name === timestampField)) {
    throw incompatible(`it has no timestamp field "${timestampField}"`);
  }
  return fields.map((field) => {
    const column = rules.layout.index.get(field.name) ?? -1;
    if (column === -1) return { column, read: skipping(avroSkipperOf(field.type)) };
    const type = rules.layout.types[column] as FieldType;
    const read = avroReaderOf(field.type, type);
    if (read !== null) return { column, read };
    throw incompatible(
      `field "${field.name}" is ${JSON.stringify(field.type)}, which cannot be read as ${type}`,
    );
  });
}

function skipping(skip: AvroSkipper): AvroReader {
  return (cursor) => {
    skip(cursor);
    return null;
  };
}

function incompatible(what: string): FreshetError {
  return new FreshetError('SCHEMA_INCOMPATIBLE', what);
}
