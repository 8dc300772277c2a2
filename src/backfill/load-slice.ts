/**
 * The rows of one slice of batch history into the state of a view, in the order of entity keys, which
 * is that of the store: an entity is read and written once a slice, and beside its neighbours. Of
 * newest rows only the newest of each entity is read at all.
 */
import { coercerOf, toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue, JsonValue } from '../core/field-type.ts';
import { columnValue, type RowBatch, rowLayout, sliceRows } from '../core/row-batch.ts';
import { NO_CREATED_TIME_US, RANK_BATCH } from '../core/row-order.ts';
import type { FeatureView, ParquetSource } from '../definition/index.ts';
import { type DuckdbConnection, fieldLiteral, quoteIdentifier } from '../duckdb/index.ts';
import { KvBatch } from '../kv/index.ts';
import { createUpserter } from '../online/index.ts';
import { type ParquetRelation, streamBatches } from '../segment/index.ts';
import type { StateStore } from '../state/index.ts';
import type { MaterializationInterval, RowPlace } from './backfill-record.ts';

export interface Slice {
  readonly state: StateStore;
  readonly duckdb: DuckdbConnection;
  readonly view: FeatureView;
  readonly source: ParquetSource;
  readonly sourceId: number;
  readonly relation: ParquetRelation;
  readonly range: MaterializationInterval;
  /** Rows in one write of the store. */
  readonly writeRowsMax: number;
}

/** Rows on their way into the store. */
export interface LoadedRows {
  readonly batch: KvBatch;
  readonly rows: number;
  /** Rows that changed what is stored. */
  readonly written: number;
  /** The last of them. */
  readonly last: RowPlace;
}

/** The newest rows of a slice, in batches for the caller to write. */
export function loadNewest(slice: Slice): AsyncGenerator<LoadedRows> {
  const { view, source, relation, range } = slice;
  const { timestampField, createdTimestampField } = source;
  const rows = `SELECT * FROM (${relation.sql}) WHERE ${withinSql(source, range)} AND ${keyedSql(view)}`;
  const event = `epoch_us(${quoteIdentifier(timestampField)})::HUGEINT`;
  const created =
    createdTimestampField === null
      ? null
      : `coalesce(epoch_us(${quoteIdentifier(createdTimestampField)}), ${NO_CREATED_TIME_US})`;
  const order =
    created === null
      ? `${event} * ${TWO_TO_64} + _offset`
      : `row(${event} * ${TWO_TO_64} + ${created}, _offset)`;
  const keys = keyNames(view).map(quoteIdentifier);
  const newest = `SELECT arg_max(_offset, ${order}) FROM rows${keys.length === 0 ? '' : ` GROUP BY ${keys.join(', ')}`}`;
  const sql = `WITH rows AS (${rows}) SELECT * FROM rows WHERE _offset IN (${newest})`;
  return load(slice, { ...relation, sql });
}

/**
 * All rows of a slice, in batches for the caller to write with a note of how far they go: a window may
 * not count a row twice. With `after`, those behind it.
 */
export function loadWindows(slice: Slice, after: RowPlace | null): AsyncGenerator<LoadedRows> {
  const { view, source, relation, range } = slice;
  const conditions = [withinSql(source, range), keyedSql(view)];
  if (after !== null) conditions.push(behindSql(view, after));
  const sql = `SELECT * FROM (${relation.sql}) WHERE ${conditions.join(' AND ')}`;
  return load(slice, { ...relation, sql });
}

/** In the order of entities none comes back. */
const CACHED_BLOCKS_MAX = 1_024;
const TWO_TO_64 = '18446744073709551616::HUGEINT';

async function* load(slice: Slice, relation: ParquetRelation): AsyncGenerator<LoadedRows> {
  const { state, duckdb, view, source, sourceId, writeRowsMax } = slice;
  const layout = rowLayout(source.schema);
  const upserter = await createUpserter({
    ...{ state, view, sourceId, layout, partitions: 1 },
    cachedBlocksMax: CACHED_BLOCKS_MAX,
  });
  const orderBy = [...keyNames(view), '_offset'];
  let batch = new KvBatch();
  let [rows, written] = [0, 0];
  let last: RowPlace | null = null;
  for await (const chunk of streamBatches(duckdb, relation, source, { orderBy })) {
    for (let from = 0; from < chunk.count; ) {
      const to = Math.min(chunk.count, from + writeRowsMax - rows);
      const part = sliceRows(chunk, from, to);
      const result = await upserter.upsert(part, { partition: 0, rank: RANK_BATCH }, batch);
      rows += part.count;
      written += result.written;
      last = placeOf(view, chunk, to - 1);
      from = to;
      if (rows < writeRowsMax) continue;
      yield { batch, rows, written, last };
      batch = new KvBatch();
      [rows, written] = [0, 0];
    }
  }
  if (last !== null && rows > 0) yield { batch, rows, written, last };
}

/** Join keys in the order of their bytes in the store. */
function keyNames(view: FeatureView): string[] {
  return Object.keys(view.joinKeys).sort();
}

function withinSql(source: ParquetSource, { startUs, endUs }: MaterializationInterval): string {
  const time = quoteIdentifier(source.timestampField);
  return `${time} BETWEEN make_timestamp(${startUs}) AND make_timestamp(${endUs})`;
}

/** Rows without an entity are in no state. */
function keyedSql(view: FeatureView): string {
  const keyed = keyNames(view).map((key) => `${quoteIdentifier(key)} IS NOT NULL`);
  return keyed.join(' AND ') || 'true';
}

function placeOf(view: FeatureView, rows: RowBatch, i: number): RowPlace {
  const keys = keyNames(view).map((key): JsonValue => {
    const column = rows.columns[rows.layout.index.get(key) as number];
    return column === undefined ? null : toJsonValue(column.type, columnValue(column, i));
  });
  return { keys, offset: rows.offsets[i] as number };
}

/** Rows behind a place in the order of keys and offsets. */
function behindSql(view: FeatureView, { keys, offset }: RowPlace): string {
  const names = keyNames(view);
  const values = names.map((name, k): string => {
    const type = view.joinKeys[name] as FieldType;
    return fieldLiteral(type, coercerOf(type)(keys[k]) as FieldValue);
  });
  const place = [...names.map(quoteIdentifier), '_offset'];
  return `(${place.join(', ')}) > (${[...values, String(offset)].join(', ')})`;
}
