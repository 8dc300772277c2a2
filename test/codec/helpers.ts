import type { RegisteredSchema, SchemaRegistry } from '../../src/codec/index.ts';
import { columnValue, type RowBatch } from '../../src/core/row-batch.ts';
import type { LogBatch } from '../../src/log/index.ts';

export const ARRIVAL_MS = Date.parse('2026-01-01T00:00:00Z');

/** Values as one log batch; every record arrived at `ARRIVAL_MS`. */
export function logBatch(values: readonly (Uint8Array | null)[]): LogBatch {
  return {
    topic: 'rides',
    partition: 0,
    count: values.length,
    offsets: Float64Array.from(values, (_, i) => 100 + i),
    nextOffset: 100 + values.length,
    highWatermark: 100 + values.length,
    logStartOffset: 0,
    timestampsMs: new Float64Array(values.length).fill(ARRIVAL_MS),
    timestampType: 'LogAppendTime',
    keys: values.map(() => null),
    values,
    headers: () => [],
  };
}

/** An Avro body in Confluent's framing. */
export function framed(schemaId: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(schemaId, 1);
  return Buffer.concat([header, body]);
}

/** Rows as objects, for comparing. */
export function rowObjects(rows: RowBatch): Record<string, unknown>[] {
  return Array.from({ length: rows.count }, (_, i) =>
    Object.fromEntries(
      rows.layout.names.map((name, c) => [name, columnValue(rows.columns[c]!, i)]),
    ),
  );
}

/** A registry that holds what it is given and counts its look-ups. */
export class FixedRegistry implements SchemaRegistry {
  readonly schemas: Map<number, string>;
  lookups = 0;
  failure: Error | null = null;

  constructor(schemas: Readonly<Record<number, string>>) {
    this.schemas = new Map(Object.entries(schemas).map(([id, schema]) => [Number(id), schema]));
  }

  async schemaById(id: number): Promise<string | null> {
    this.lookups++;
    if (this.failure !== null) throw this.failure;
    return this.schemas.get(id) ?? null;
  }

  async register(): Promise<number> {
    return 1;
  }

  async latest(): Promise<RegisteredSchema | null> {
    return null;
  }

  async incompatibilities(): Promise<string[]> {
    return [];
  }

  async deleteSubject(): Promise<void> {}

  async close(): Promise<void> {}
}
