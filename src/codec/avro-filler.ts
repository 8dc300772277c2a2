import type { FieldType } from '../core/field-type.ts';
import type { RowLayout } from '../core/row-batch.ts';
import { type ErrorCode, FreshetError } from '../errors.ts';
import type { LogBatch } from '../log/index.ts';
import { AvroCursor } from './avro-cursor.ts';
import { type AvroReader, avroReaderOf } from './avro-reader.ts';
import { type AvroSkipper, avroSkipperOf } from './avro-skipper.ts';
import { type AvroField, type AvroType, parseAvroType, underlyingType } from './avro-type.ts';
import type { RowFiller, RowTarget } from './row-batch-builder.ts';
import { RowError } from './row-error.ts';
import { readSchemaId, WIRE_HEADER_BYTES } from './wire-format.ts';

/** An unknown id is asked for again after this long: its registration may only be late. */
const UNKNOWN_ID_MS = 30_000;
/** Garbage may carry any id; beyond this many the unknown ones are forgotten. */
const WRITERS_MAX = 10_000;

/** What is known of one writer schema: how to read its rows, or why they cannot be read. */
type Writer =
  | { readonly steps: readonly Step[] }
  | { readonly code: ErrorCode; readonly reason: string; readonly forgetAtMs: number };

/** One field of the writer in its order: read into a column, or stepped over (column -1). */
interface Step {
  readonly column: number;
  readonly read: AvroReader;
}

/** Reads the fields of a layout from records in Confluent's framing. */
export class AvroFiller implements RowFiller {
  readonly #layout: RowLayout;
  readonly #requiredField: string | null;
  readonly #writers = new Map<number, Writer>();
  readonly #cursor = new AvroCursor();

  /** A writer schema without the `requiredField` cannot be read. */
  constructor(layout: RowLayout, requiredField: string | null) {
    this.#layout = layout;
    this.#requiredField = requiredField;
  }

  /** Ids in the batch that must be fetched before it can be decoded. */
  missingWriters(
    { count, values }: Pick<LogBatch, 'count' | 'values'>,
    nowMs: number,
  ): ReadonlySet<number> {
    const missing = new Set<number>();
    let known = -1;
    for (let i = 0; i < count; i++) {
      const value = values[i];
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
    this.#writers.set(id, compileWriter(id, schema, nowMs, this.#layout, this.#requiredField));
  }

  fill(value: Uint8Array, target: RowTarget): void {
    const steps = this.#stepsOf(readSchemaId(value));
    const cursor = this.#cursor;
    cursor.reset(value, WIRE_HEADER_BYTES);
    let i = 0;
    try {
      for (; i < steps.length; i++) {
        const { column, read } = steps[i] as Step;
        const fieldValue = read(cursor);
        if (column >= 0) target.set(column, fieldValue);
      }
    } catch (thrown) {
      throw withField(thrown, this.#layout.names[(steps[i] as Step).column]);
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
  layout: RowLayout,
  requiredField: string | null,
): Writer {
  if (schema === null) {
    const reason = `schema id ${id} is unknown to the registry`;
    return { code: 'SCHEMA_ID_UNKNOWN', reason, forgetAtMs: nowMs + UNKNOWN_ID_MS };
  }
  try {
    return { steps: compileSteps(parseAvroType(schema), layout, requiredField) };
  } catch (thrown) {
    if (!(thrown instanceof FreshetError)) throw thrown;
    const reason = `schema id ${id}: ${thrown.message}`;
    return { code: thrown.code, reason, forgetAtMs: Number.POSITIVE_INFINITY };
  }
}

function compileSteps(
  writer: AvroType,
  layout: RowLayout,
  requiredField: string | null,
): readonly Step[] {
  const record = underlyingType(writer);
  if (record.typeName !== 'record') throw incompatible(`it is a ${record.typeName}, not a record`);
  const { fields } = record as unknown as { fields: readonly AvroField[] };
  if (requiredField !== null && !fields.some((field) => field.name === requiredField)) {
    throw incompatible(`it has no timestamp field "${requiredField}"`);
  }
  return fields.map((field) => {
    const column = layout.index.get(field.name) ?? -1;
    if (column === -1) return { column, read: skipping(avroSkipperOf(field.type)) };
    const type = layout.types[column] as FieldType;
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
