import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { decompress } from 'fzstd';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/core/coerce.ts';
import type { Schema } from '../../src/core/field-type.ts';
import { topicSource } from '../../src/definition/index.ts';
import {
  createSegmentStore,
  type SegmentEntry,
  type SegmentStore,
} from '../../src/segment/index.ts';
import { batchOf, openWorkplace, type Row, type Workplace } from './support.ts';

const SCALARS = {
  int32: fc.integer(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float32: fc.float(),
  float64: fc.double(),
  string: fc.string({ unit: 'binary', maxLength: 30 }),
  bool: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 30 }),
  timestamp: fc.integer({ min: -8e15, max: 8e15 }).map((us) => us + 0),
} as const;

const json = fc.jsonValue().map((value) => JSON.parse(canonicalJson(value)) as unknown);

const schema: Schema = {
  at: 'timestamp',
  int32: 'int32',
  int64: 'int64',
  float32: 'float32',
  float64: 'float64',
  string: 'string',
  bool: 'bool',
  bytes: 'bytes',
  json: 'json',
  int32s: 'int32[]',
  int64s: 'int64[]',
  float32s: 'float32[]',
  float64s: 'float64[]',
  strings: 'string[]',
  bools: 'bool[]',
  byteses: 'bytes[]',
  timestamps: 'timestamp[]',
};

const SOURCE = topicSource({
  name: 'everything',
  topic: 'everything',
  schema,
  timestampField: 'at',
  keyFields: ['string', 'int64', 'bytes'],
});

const list = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[] | null> =>
  fc.option(fc.array(one, { maxLength: 4 }));

const row: fc.Arbitrary<Row> = fc.record({
  at: SCALARS.timestamp,
  int32: fc.option(SCALARS.int32),
  int64: fc.option(SCALARS.int64),
  float32: fc.option(SCALARS.float32),
  float64: fc.option(SCALARS.float64),
  string: fc.option(SCALARS.string),
  bool: fc.option(SCALARS.bool),
  bytes: fc.option(SCALARS.bytes),
  json: fc.option(json),
  int32s: list(SCALARS.int32),
  int64s: list(SCALARS.int64),
  float32s: list(SCALARS.float32),
  float64s: list(SCALARS.float64),
  strings: list(SCALARS.string),
  bools: list(SCALARS.bool),
  byteses: list(SCALARS.bytes),
  timestamps: list(SCALARS.timestamp),
});

const EDGES: Row = {
  at: -1,
  int32: -(2 ** 31),
  int64: -(2n ** 63n),
  float32: Number.NaN,
  float64: -0,
  string: '',
  bool: false,
  bytes: new Uint8Array(0),
  json: '',
  int32s: [],
  int64s: [2n ** 63n - 1n],
  float32s: [-0, Number.NEGATIVE_INFINITY],
  float64s: [Number.NaN, Number.MIN_VALUE, Number.MAX_VALUE],
  strings: ['', '\0', 'a\0b', '🌊 a long text beyond twelve bytes'],
  bools: [true, false],
  byteses: [Uint8Array.of(0), new Uint8Array(0)],
  timestamps: [-2_208_988_800_000_001, 0],
};

describe('a segment', () => {
  let place: Workplace;
  let store: SegmentStore;
  beforeAll(async () => {
    place = await openWorkplace();
    store = createSegmentStore(place);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  async function write(rows: readonly Row[]): Promise<SegmentEntry> {
    const writer = store.writer(SOURCE, 1);
    const batch = batchOf(schema, rows, { timestampField: 'at' });
    await writer.append(batch, new Float64Array(rows.length), 0, rows.length);
    return writer.write({ startOffset: 0, endOffset: rows.length });
  }

  const asStored = (value: Row): Row => ({
    ...value,
    json: value['json'] === null ? null : canonicalJson(value['json']),
  });

  it('gives every value back bit for bit, and its content hash with it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (generated) => {
        const rows = [EDGES, ...generated];
        const entry = await write(rows);
        const read = await place.duckdb.query(
          `SELECT * EXCLUDE (_partition, _offset, _arrival, _late)
           FROM (${store.relation([entry], SOURCE)}) ORDER BY _offset`,
        );
        expect(read).toStrictEqual(rows.map(asStored));
        await store.verify(entry);
      }),
      { numRuns: 20 },
    );
  });

  it('is standard Parquet: a reader without DuckDB finds the same rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (generated) => {
        const rows = [EDGES, ...generated];
        const entry = await write(rows);
        expect(await readIndependently(join(place.directory, entry.file ?? ''))).toStrictEqual(
          rows.map((value, i) => ({ ...asStored(value), _offset: BigInt(i) })),
        );
      }),
      { numRuns: 10 },
    );
  });
});

/** The rows in offset order, in our values; without partition, arrival and lateness. */
async function readIndependently(file: string): Promise<Record<string, unknown>[]> {
  const bytes = readFileSync(file);
  const rows = await parquetReadObjects({
    file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
    compressors: { ZSTD: (input, length) => decompress(input, new Uint8Array(length)) },
    utf8: false,
    parsers: {
      timestampFromMilliseconds: (ms: bigint) => Number(ms) * 1000,
      timestampFromMicroseconds: (us: bigint) => Number(us),
      timestampFromNanoseconds: (ns: bigint) => Number(ns / 1000n),
      dateFromDays: (days: number) => days,
      stringFromBytes: (text: Uint8Array) => text && new TextDecoder().decode(text),
      geometryFromBytes: (value: Uint8Array) => value,
      geographyFromBytes: (value: Uint8Array) => value,
    } as never,
  });
  return rows
    .sort((a, b) => Number(a['_offset'] as bigint) - Number(b['_offset'] as bigint))
    .map(({ _partition, _arrival, _late, ...fields }) =>
      // It has undefined where a whole array is null.
      Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? null])),
    );
}
