import {
  avroSchemaOf,
  createRowEncoder,
  normalizeAvroSchema,
  type RowEncoder,
  type SchemaRegistry,
  subjectOf,
} from '../codec/index.ts';
import type { InputOf, Schema } from '../core/field-type.ts';
import { ROW_BYTES_MAX } from '../core/limits.ts';
import type { TopicSource } from '../definition/index.ts';
import { type ErrorCode, FreshetError } from '../errors.ts';
import type { Log, ProducedRecord } from '../log/index.ts';
import { AppendQueue, requireBound } from './append-queue.ts';

/** Sends rows of one source to its topic, each checked against the source's schema first. */
export interface FeatureProducer<S extends Schema = Schema> extends AsyncDisposable {
  /**
   * Sends the good rows, in order, and says which were refused and why; resolves when the log has
   * them. Do not wait for one call before the next to send faster: calls that meet go together,
   * and one that finds the bounds reached waits.
   * @throws FreshetError as `Log.append`, and with `strict` the first refusal, before any row is sent
   */
  send(rows: readonly InputRow<S>[], options?: SendOptions): Promise<SendResult>;
  /** Resolves when the log has confirmed or refused everything that was sent. */
  flush(): Promise<void>;
  readonly counts: ProducerCounts;
  /** Flushes; the log and the registry stay open. Idempotent. */
  close(): Promise<void>;
}

/** A row as a producer sends it. A field left out is null; the timestamp field and key fields must be there. */
export type InputRow<S extends Schema> = { readonly [K in keyof S]?: InputOf<S[K]> | null };

export interface SendOptions {
  /** Send all rows or, when one is refused, none. Default false. */
  readonly strict?: boolean;
}

export interface SendResult {
  readonly sent: number;
  readonly rejects: readonly RowReject[];
}

/** A row that was not sent: `index` is its place among the rows given. */
export interface RowReject {
  readonly index: number;
  readonly code: ErrorCode;
  readonly reason: string;
}

export interface ProducerCounts {
  readonly rowsSent: number;
  readonly rowsRejected: number;
  /** Value bytes of the rows sent. */
  readonly bytesSent: number;
  /** Rows that the log has not confirmed yet. */
  readonly rowsInFlight: number;
}

export interface FeatureProducerOptions<S extends Schema> {
  readonly log: Log;
  readonly source: TopicSource<S>;
  /** Where the schema of an Avro source is kept; JSON needs none. */
  readonly registry?: SchemaRegistry;
  /** Register the schema, or only use it when it is the subject's latest. Default true. */
  readonly registerSchema?: boolean;
  /** A larger row is refused. Default 1 MiB. */
  readonly rowBytesMax?: number;
  /** Default 65,536. */
  readonly rowsInFlightMax?: number;
  /** Default 32 MiB. */
  readonly bytesInFlightMax?: number;
}

const ROWS_IN_FLIGHT_MAX = 65_536;
const BYTES_IN_FLIGHT_MAX = 32 * 1024 * 1024;
/** Rows encoded before they are handed on, so that the first wait for no more than these. */
const SLICE_ROWS = 8_192;

/**
 * @example
 * await using producer = await createFeatureProducer({ log, source: flights, registry });
 * const { rejects } = await producer.send([{ date: new Date(), origin: 'ATL', delay: 12 }]);
 * @throws FreshetError INVALID_ARGUMENT for Avro without a registry, SCHEMA_REGISTRY_UNAVAILABLE,
 *   SCHEMA_REGISTRY_REFUSED, SCHEMA_INCOMPATIBLE
 */
export async function createFeatureProducer<S extends Schema>(
  options: FeatureProducerOptions<S>,
): Promise<FeatureProducer<S>> {
  const { source } = options;
  if (source.format === 'json') return new Producer(options, createRowEncoder({ source }));
  const schemaId = await schemaIdOf(options);
  return new Producer(options, createRowEncoder({ source, schemaId }));
}

async function schemaIdOf(options: FeatureProducerOptions<Schema>): Promise<number> {
  const { source, registry, registerSchema = true } = options;
  const where = { source: source.name, topic: source.topic };
  if (registry === undefined) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `source "${source.name}" is Avro, and no schema registry is given`,
      { where },
    );
  }
  const schema = avroSchemaOf(source);
  const subject = subjectOf(source.topic);
  if (registerSchema) return registry.register(subject, schema);
  const latest = await registry.latest(subject);
  if (latest !== null && normalizeAvroSchema(latest.schema) === normalizeAvroSchema(schema)) {
    return latest.id;
  }
  const what = latest === null ? 'has no schema' : `has another schema, version ${latest.version}`;
  throw new FreshetError('SCHEMA_INCOMPATIBLE', `subject "${subject}" ${what}`, {
    where,
    next: 'Run `freshet apply` to register the schema of the source.',
  });
}

class Producer<S extends Schema> implements FeatureProducer<S> {
  readonly #topic: string;
  readonly #encoder: RowEncoder;
  readonly #rowBytesMax: number;
  readonly #queue: AppendQueue;
  #rowsSent = 0;
  #rowsRejected = 0;
  #bytesSent = 0;
  #closed = false;

  constructor(options: FeatureProducerOptions<S>, encoder: RowEncoder) {
    const {
      rowBytesMax = ROW_BYTES_MAX,
      rowsInFlightMax = ROWS_IN_FLIGHT_MAX,
      bytesInFlightMax = BYTES_IN_FLIGHT_MAX,
    } = options;
    this.#topic = options.source.topic;
    this.#encoder = encoder;
    this.#rowBytesMax = requireBound('rowBytesMax', rowBytesMax);
    this.#queue = new AppendQueue(options.log, {
      recordsMax: requireBound('rowsInFlightMax', rowsInFlightMax),
      bytesMax: requireBound('bytesInFlightMax', bytesInFlightMax),
    });
  }

  get counts(): ProducerCounts {
    return {
      rowsSent: this.#rowsSent,
      rowsRejected: this.#rowsRejected,
      bytesSent: this.#bytesSent,
      rowsInFlight: this.#queue.records,
    };
  }

  async send(rows: readonly InputRow<S>[], options: SendOptions = {}): Promise<SendResult> {
    if (this.#closed) throw new FreshetError('STORE_CLOSED', 'the producer is closed');
    const rejects: RowReject[] = [];
    const sliceRows = options.strict === true ? rows.length : SLICE_ROWS;
    let sent = 0;
    for (let from = 0; from < rows.length; from += sliceRows) {
      const to = Math.min(rows.length, from + sliceRows);
      const { records, bytes } = this.#encode(rows, from, to, rejects);
      if (options.strict === true && rejects.length > 0) throw this.#refusal(rejects);
      if (records.length === 0) continue;
      await this.#queue.add(records, bytes);
      sent += records.length;
      this.#rowsSent += records.length;
      this.#bytesSent += bytes;
    }
    return { sent, rejects };
  }

  flush(): Promise<void> {
    return this.#queue.drain();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #encode(
    rows: readonly InputRow<S>[],
    from: number,
    to: number,
    rejects: RowReject[],
  ): { readonly records: readonly ProducedRecord[]; readonly bytes: number } {
    const records: ProducedRecord[] = [];
    let bytes = 0;
    for (let index = from; index < to; index++) {
      try {
        const row = requireRow(rows[index]);
        const value = this.#encoder.encode(row);
        if (value.length > this.#rowBytesMax) throw this.#tooLarge(value.length);
        records.push({ topic: this.#topic, key: this.#encoder.encodeKey(row), value });
        bytes += value.length;
      } catch (thrown) {
        if (!(thrown instanceof FreshetError)) throw thrown;
        this.#rowsRejected++;
        rejects.push({ index, code: thrown.code, reason: thrown.message });
      }
    }
    return { records, bytes };
  }

  #tooLarge(bytes: number): FreshetError {
    return new FreshetError('ROW_TOO_LARGE', `${bytes} bytes; the bound is ${this.#rowBytesMax}`);
  }

  #refusal(rejects: readonly RowReject[]): FreshetError {
    const { index, code, reason } = rejects[0] as RowReject;
    const more = rejects.length === 1 ? '' : `, and ${rejects.length - 1} more rows are refused`;
    return new FreshetError(code, `row ${index}: ${reason}${more}`, {
      where: { topic: this.#topic, row: index },
    });
  }
}

function requireRow(row: unknown): Readonly<Record<string, unknown>> {
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) {
    return row as Readonly<Record<string, unknown>>;
  }
  throw new FreshetError('ROW_TYPE', 'the row is not an object');
}
