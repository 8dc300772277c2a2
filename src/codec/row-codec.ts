import type { RowBatch, RowLayout } from '../core/row-batch.ts';
import type { ErrorCode } from '../errors.ts';
import type { LogBatch } from '../log/index.ts';

/** Bytes to rows for one source. Compiled once per source (and per writer schema), used per batch. */
export interface RowDecoder {
  readonly layout: RowLayout;
  /**
   * Decodes a whole batch. Good records become rows in offset order; each bad one becomes a reject
   * and costs the others nothing. Asynchronous only while a writer schema is fetched for the first time.
   */
  decode(batch: LogBatch): DecodedBatch | Promise<DecodedBatch>;
}

export interface DecodedBatch {
  readonly rows: RowBatch;
  readonly rejects: readonly Reject[];
}

/** A record that is not a row: `index` is its place in the LogBatch. */
export interface Reject {
  readonly index: number;
  readonly code: ErrorCode;
  readonly reason: string;
}

/** One row object to the bytes of a record value, checked against the source's schema. */
export interface RowEncoder {
  /** @throws FreshetError ROW_TYPE, ROW_KEY_NULL, ROW_TIME_NULL naming the field */
  encode(row: Readonly<Record<string, unknown>>): Uint8Array;
  /** The record key of the row: one key field as text, several as a JSON array; null without key fields. */
  encodeKey(row: Readonly<Record<string, unknown>>): Uint8Array | null;
}

/** Schemas by id and subject, as Confluent's registry keeps them. */
export interface SchemaRegistry {
  /** Registers (or finds) a schema under a subject and answers its id. */
  register(subject: string, schema: string): Promise<number>;
  /** Null when the id is unknown. */
  schemaById(id: number): Promise<string | null>;
  /** Null when the subject has no version. */
  latest(subject: string): Promise<RegisteredSchema | null>;
  /** The reasons a schema cannot follow the subject's latest version; empty when it can. */
  incompatibilities(subject: string, schema: string): Promise<string[]>;
  deleteSubject(subject: string): Promise<void>;
  close(): Promise<void>;
}

export interface RegisteredSchema {
  readonly id: number;
  readonly version: number;
  readonly schema: string;
}
