import { FreshetError } from '../errors.ts';
import { createAvroDecoder, type RowDecoderOptions } from './avro-decoder.ts';
import { createJsonDecoder } from './json-decoder.ts';
import type { RowDecoder } from './row-codec.ts';

/** The decoder of the source's format. @throws FreshetError INVALID_ARGUMENT for Avro without a registry */
export function createRowDecoder(options: RowDecoderOptions): RowDecoder {
  const { registry, source } = options;
  if (source.format === 'json') return createJsonDecoder(options);
  if (registry !== undefined) return createAvroDecoder({ ...options, registry });
  throw new FreshetError(
    'INVALID_ARGUMENT',
    `source "${source.name}" is Avro, and no schema registry is set`,
    {
      where: { source: source.name },
      next: 'Set schemaRegistry in freshet.yaml, or give the source `format: json`.',
    },
  );
}
