import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Three million flights, wherever this file was compiled to. */
export const FLIGHTS = join(
  createRequire(import.meta.url).resolve('vega-datasets'),
  '../../data/flights-3m.parquet',
);
