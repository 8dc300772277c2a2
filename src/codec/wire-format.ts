/**
 * Confluent's framing of an Avro value: one zero byte, the id of the writer's schema as an
 * unsigned 32-bit big-endian number, then the Avro bytes.
 */
import { RowError } from './row-error.ts';

const MAGIC = 0;
export const WIRE_HEADER_BYTES = 5;

/** The id of the schema the value was written with. @throws RowError for bytes without the framing */
export function readSchemaId(value: Uint8Array): number {
  if (value[0] !== MAGIC) {
    throw new RowError(
      'ROW_UNDECODABLE',
      `the first byte is ${value[0]}, not the 0 that precedes the id of a registered schema`,
    );
  }
  if (value.length < WIRE_HEADER_BYTES) {
    throw new RowError('ROW_TRUNCATED', `${value.length} bytes end inside the schema id`);
  }
  return (
    (((value[1] as number) << 24) |
      ((value[2] as number) << 16) |
      ((value[3] as number) << 8) |
      (value[4] as number)) >>>
    0
  );
}

export function writeSchemaId(target: Uint8Array, schemaId: number): void {
  target[0] = MAGIC;
  target[1] = schemaId >>> 24;
  target[2] = schemaId >>> 16;
  target[3] = schemaId >>> 8;
  target[4] = schemaId;
}
