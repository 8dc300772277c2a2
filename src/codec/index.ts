export { createAvroDecoder, type RowDecoderOptions } from './avro-decoder.ts';
export { avroSchemaOf, subjectOf } from './avro-schema.ts';
export { avroIncompatibilities, normalizeAvroSchema } from './avro-type.ts';
export { createFieldReader, type FieldReader } from './field-reader.ts';
export type {
  DecodedBatch,
  RegisteredSchema,
  Reject,
  RowDecoder,
  RowEncoder,
  SchemaRegistry,
} from './row-codec.ts';
export { createRowDecoder } from './row-decoder.ts';
export { createRowEncoder } from './row-encoder.ts';
