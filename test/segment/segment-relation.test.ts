import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Schema } from '../../src/core/field-type.ts';
import { type TopicSource, topicSource } from '../../src/definition/index.ts';
import {
  createSegmentStore,
  localFiles,
  type SegmentEntry,
  type SegmentStore,
} from '../../src/segment/index.ts';
import { batchOf, openWorkplace, type Row, type Workplace } from './support.ts';

describe('segments as a relation', () => {
  let place: Workplace;
  let store: SegmentStore;
  beforeAll(async () => {
    place = await openWorkplace();
    store = createSegmentStore(place);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  const sourceOf = (schema: Schema): TopicSource =>
    topicSource({ name: 'clicks', topic: 'clicks', schema, timestampField: 'at' });

  async function write(source: TopicSource, row: Row, offset: number): Promise<SegmentEntry> {
    const writer = store.writer(source, 0);
    const batch = batchOf(source.schema, [row], { timestampField: 'at', offsets: [offset] });
    await writer.append(batch, new Float64Array(1), 0, 1);
    return writer.write({ startOffset: offset, endOffset: offset + 1 });
  }

  const OLD = sourceOf({ at: 'timestamp', gone: 'string', amount: 'int32' });
  const NEW = sourceOf({ at: 'timestamp', amount: 'int64', tags: 'string[]', note: 'json' });

  it('reads files of several schemas as the newest one', async () => {
    const entries = [
      await write(OLD, { at: 1, gone: 'x', amount: 7 }, 0),
      await write(NEW, { at: 2, amount: 2n ** 40n, tags: ['a'], note: { b: 1 } }, 1),
      await write(NEW, { at: 3, amount: null, tags: null, note: null }, 2),
    ];
    const relation = store.relation(entries, NEW, ['_offset', 'at', 'amount', 'tags', 'note']);
    expect(await place.duckdb.query(`SELECT * FROM (${relation}) ORDER BY _offset`)).toEqual([
      { _offset: 0n, at: 1, amount: 7n, tags: null, note: null },
      { _offset: 1n, at: 2, amount: 2n ** 40n, tags: ['a'], note: '{"b":1}' },
      { _offset: 2n, at: 3, amount: null, tags: null, note: null },
    ]);
  });

  it('reads a column that no file has yet as typed null', async () => {
    const entries = [await write(OLD, { at: 1, amount: 7 }, 10)];
    const relation = store.relation(entries, NEW, ['tags']);
    const described = await place.duckdb.query(`DESCRIBE ${relation}`);
    expect(described[0]).toMatchObject({ column_name: 'tags', column_type: 'VARCHAR[]' });
    expect(await place.duckdb.query(relation)).toEqual([{ tags: null }]);
  });

  it('has the columns of the source, and no row, without segments', async () => {
    const relation = store.relation([], NEW);
    const described = await place.duckdb.query(`DESCRIBE ${relation}`);
    expect(described.map((row) => `${row['column_name']} ${row['column_type']}`)).toEqual([
      'at TIMESTAMP',
      'amount BIGINT',
      'tags VARCHAR[]',
      'note VARCHAR',
      '_partition INTEGER',
      '_offset BIGINT',
      '_arrival TIMESTAMP',
      '_late BIGINT',
    ]);
    expect(await place.duckdb.query(relation)).toEqual([]);
  });

  it('refuses a column that the source has not, with the nearest one', () => {
    expect(() => store.relation([], NEW, ['amuont'])).toThrow(/"amuont".*"amount"/);
  });

  it('finds its files in a folder whose name SQL would misread', async () => {
    const odd = createSegmentStore({
      ...place,
      files: localFiles(`${place.directory}/it's "odd"`),
    });
    const writer = odd.writer(OLD, 0);
    const batch = batchOf(OLD.schema, [{ at: 1, amount: 1 }], { timestampField: 'at' });
    await writer.append(batch, new Float64Array(1), 0, 1);
    const entry = await writer.write({ startOffset: 0, endOffset: 1 });
    const rows = await place.duckdb.query(odd.relation([entry], OLD, ['amount']));
    expect(rows).toEqual([{ amount: 1 }]);
    await odd.verify(entry);
  });
});
