import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import { topicSource } from '../../src/definition/index.ts';
import type { Duckdb, SqlRow } from '../../src/duckdb/index.ts';
import {
  type FileStore,
  liveFiles,
  type SegmentEntry,
  type SegmentStore,
  type SegmentStoreOptions,
} from '../../src/segment/index.ts';
import { batchOf, openWorkplace, type Row, type Workplace } from '../segment/support.ts';

const SOURCE = topicSource({
  name: 'clicks',
  topic: 'clicks.v1',
  schema: { user: 'string', at: 'timestamp', amount: 'int32' },
  timestampField: 'at',
  keyFields: ['user'],
});

/** What every segment store does, whatever it keeps its files in; `openFiles` of a folder that is new. */
export function segmentStoreContract(
  name: string,
  create: (options: SegmentStoreOptions) => SegmentStore,
  openFiles: (directory: string) => FileStore,
): void {
  describe(name, () => {
    let place: Workplace;
    let store: SegmentStore;
    let files: FileStore;

    beforeEach(async () => {
      place = await openWorkplace();
      files = openFiles(place.directory);
      store = create({
        files,
        duckdb: place.duckdb,
        clock: new ManualClock(1_234),
      });
    });
    afterEach(() => place[Symbol.asyncDispose]());

    const ROWS: Row[] = [
      { user: 'b', at: 5_000_000, amount: 1 },
      { user: 'a', at: 7_000_000, amount: null },
      { user: 'a', at: -3, amount: 3 },
    ];

    async function write(
      rows: readonly Row[],
      offsets: readonly number[],
      cut: [start: number, end: number],
      partition = 2,
    ): Promise<SegmentEntry> {
      const writer = store.writer(SOURCE, partition);
      const batch = batchOf(SOURCE.schema, rows, { timestampField: 'at', offsets });
      const late = Float64Array.from(rows, (_, i) => i * 10);
      await writer.append(batch, late, 0, batch.count);
      return writer.write({ startOffset: cut[0], endOffset: cut[1] });
    }

    const read = (entries: readonly SegmentEntry[], duckdb: Duckdb): Promise<SqlRow[]> =>
      duckdb.query(
        `SELECT * FROM (${store.relation(entries, SOURCE)}) ORDER BY _partition, _offset`,
      );

    it('keeps every row of the cut with its partition, offset, arrival and lateness', async () => {
      const entry = await write(ROWS, [10, 12, 13], [10, 20]);
      expect(await read([entry], place.duckdb)).toEqual([
        { ...ROWS[0], _partition: 2, _offset: 10n, _arrival: 6_000_000, _late: 0n },
        { ...ROWS[1], _partition: 2, _offset: 12n, _arrival: 8_000_000, _late: 10n },
        { ...ROWS[2], _partition: 2, _offset: 13n, _arrival: 999_997, _late: 20n },
      ]);
    });

    it('describes the segment in its entry', async () => {
      const entry = await write(ROWS, [10, 12, 13], [10, 20]);
      expect(entry).toMatchObject({
        file: `clicks.v1/clicks.v1-2-10-20-${entry.fingerprint}.parquet`,
        source: 'clicks',
        topic: 'clicks.v1',
        partition: 2,
        startOffset: 10,
        endOffset: 20,
        rowCount: 3,
        minEventTimeUs: -3,
        maxEventTimeUs: 7_000_000,
        minArrivalTimeUs: 999_997,
        maxArrivalTimeUs: 8_000_000,
        maxLateUs: 20,
        columns: [
          { name: 'user', type: 'string' },
          { name: 'at', type: 'timestamp' },
          { name: 'amount', type: 'int32' },
        ],
        createdAtMs: 1_234,
      });
      expect(entry.bytes).toBe(readFileSync(files.pathOf(entry.file ?? '')).length);
      expect(entry.contentHash).toMatch(/^[0-9a-f]{64}$/);
    });

    it('buffers only the rows that it is given', async () => {
      const writer = store.writer(SOURCE, 0);
      const batch = batchOf(SOURCE.schema, ROWS, { timestampField: 'at' });
      await writer.append(batch, new Float64Array(3), 1, 2);
      expect(writer.rowCount).toBe(1);
      const entry = await writer.write({ startOffset: 0, endOffset: 3 });
      const rows = await read([entry], place.duckdb);
      expect(rows.map((row) => row['_offset'])).toEqual([1n]);
    });

    describe('a rewriting', () => {
      const DAY_US = 86_400_000_000;
      /** Three days, rows of two entities in each of three cuts. */
      const cutRows = (cut: number): Row[] =>
        Array.from({ length: 6 }, (_, i) => ({
          user: i % 2 === 0 ? 'b' : 'a',
          at: (i % 3) * DAY_US + cut * 1_000 + i,
          amount: cut * 10 + i,
        }));
      const writeCuts = async (): Promise<SegmentEntry[]> => {
        const entries: SegmentEntry[] = [];
        for (const cut of [0, 1, 2]) {
          const offsets = Array.from({ length: 6 }, (_, i) => cut * 6 + i);
          entries.push(await write(cutRows(cut), offsets, [cut * 6, cut * 6 + 6]));
        }
        return entries;
      };
      const rewrite = (entries: readonly SegmentEntry[], more = {}): Promise<SegmentEntry[]> =>
        store.rewrite({ entries, source: SOURCE, fileBytesTarget: 1e9, ...more });

      it('makes one file of adjacent cuts, with the same rows, sorted as a cut is', async () => {
        const entries = await writeCuts();
        const before = await read(entries, place.duckdb);
        const [whole, ...others] = await rewrite(entries);
        expect(others).toEqual([]);
        expect(whole).toMatchObject({
          file: `clicks.v1/clicks.v1-2-0-18-${whole?.fingerprint}-g1-0.parquet`,
          startOffset: 0,
          endOffset: 18,
          rowCount: 18,
          minEventTimeUs: 0,
          maxEventTimeUs: 2 * DAY_US + 2_005,
          maxLateUs: 50,
          rewrite: { generation: 1, part: 0, parts: 1 },
        });
        expect(await read([whole as SegmentEntry], place.duckdb)).toEqual(before);
        const path = files.pathOf(whole?.file ?? '');
        const stored = await place.duckdb.query(`SELECT "user", "at" FROM read_parquet('${path}')`);
        const order = stored.map((row) => `${row['user']} ${String(row['at']).padStart(15, '0')}`);
        expect(order).toEqual([...order].sort());
        await store.verify(whole as SegmentEntry);
      });

      it('splits files by days of event time, as large as they are wanted', async () => {
        const entries = await writeCuts();
        const parts = await rewrite(entries, { fileBytesTarget: 1 });
        expect(parts.map(({ rewrite: r, rowCount }) => [r?.part, r?.parts, rowCount])).toEqual([
          [0, 3, 6],
          [1, 3, 6],
          [2, 3, 6],
        ]);
        expect(await read(parts, place.duckdb)).toEqual(await read(entries, place.duckdb));
        for (const part of parts) await store.verify(part);
        const [again] = await rewrite(parts);
        expect(again?.rewrite).toEqual({ generation: 2, part: 0, parts: 1 });
        expect(await read([again as SegmentEntry], place.duckdb)).toEqual(
          await read(entries, place.duckdb),
        );
      });

      it('leaves out the rows that are not to be kept, and has no file when none is left', async () => {
        const entries = await writeCuts();
        const kept = await rewrite(entries, { keepSql: `"user" <> 'a'` });
        const rows = await read(kept, place.duckdb);
        expect(rows).toHaveLength(9);
        expect(new Set(rows.map((row) => row['user']))).toEqual(new Set(['b']));
        const [nothing] = await rewrite(kept, { keepSql: 'false' });
        expect(nothing).toMatchObject({ file: null, rowCount: 0, startOffset: 0, endOffset: 18 });
        const [still] = await rewrite([nothing as SegmentEntry]);
        expect(still).toMatchObject({ file: null, rewrite: { generation: 3 } });
      });

      it('is told by the footers when the manifest is lost', async () => {
        const parts = await rewrite(await writeCuts(), { fileBytesTarget: 1 });
        const found = (await store.readEntries()).filter((entry) => entry.rewrite !== undefined);
        expect(found).toEqual(parts);
      });
    });

    it('starts empty again after a cut, and after a discard', async () => {
      const writer = store.writer(SOURCE, 0);
      const append = (offset: number): Promise<void> =>
        writer.append(
          batchOf(SOURCE.schema, ROWS.slice(0, 1), { timestampField: 'at', offsets: [offset] }),
          new Float64Array(1),
          0,
          1,
        );
      await append(0);
      expect(writer.bytesEstimate).toBeGreaterThan(0);
      const first = await writer.write({ startOffset: 0, endOffset: 1 });
      expect([writer.rowCount, writer.bytesEstimate]).toEqual([0, 0]);
      await append(1);
      await writer.discard();
      expect([writer.rowCount, writer.bytesEstimate]).toEqual([0, 0]);
      await append(2);
      const second = await writer.write({ startOffset: 1, endOffset: 3 });
      const rows = await read([first, second], place.duckdb);
      expect(rows.map((row) => row['_offset'])).toEqual([0n, 2n]);
    });

    it('gives a cut without rows an entry and no file', async () => {
      const entry = await store.writer(SOURCE, 0).write({ startOffset: 5, endOffset: 9 });
      expect(entry).toMatchObject({ file: null, rowCount: 0, bytes: 0, maxEventTimeUs: null });
      expect(await read([entry], place.duckdb)).toEqual([]);
      await store.verify(entry);
    });

    it('gives the same rows the same name and content hash, however they were batched', async () => {
      const whole = await write(ROWS, [0, 1, 2], [0, 3]);
      const writer = store.writer(SOURCE, 2);
      const batch = batchOf(SOURCE.schema, ROWS, { timestampField: 'at' });
      const late = Float64Array.of(0, 10, 20);
      await writer.append(batch, late, 0, 1);
      await writer.append(batch, late, 1, 3);
      const pieces = await writer.write({ startOffset: 0, endOffset: 3 });
      expect(pieces.file).toBe(whole.file);
      expect(pieces.contentHash).toBe(whole.contentHash);
    });

    it('refuses rows out of order, and rows outside the cut', async () => {
      await expect(write(ROWS, [1, 1, 2], [0, 9])).rejects.toThrow(/offset 1 after 1/);
      await expect(write(ROWS, [1, 2, 3], [2, 9])).rejects.toThrow(/not within/);
      await expect(write(ROWS, [1, 2, 3], [0, 3])).rejects.toThrow(/not within/);
    });

    it('lies in the order of key and event time', async () => {
      const entry = await write(ROWS, [0, 1, 2], [0, 3]);
      const file = files.pathOf(entry.file ?? '');
      const rows = await place.duckdb.query(`SELECT "user", "at" FROM read_parquet('${file}')`);
      expect(rows.map((row) => [row['user'], row['at']])).toEqual([
        ['a', -3],
        ['a', 7_000_000],
        ['b', 5_000_000],
      ]);
    });

    describe('verify', () => {
      it('accepts what was written', async () => {
        await store.verify(await write(ROWS, [0, 1, 2], [0, 3]));
      });

      const damage: [what: string, spoil: (bytes: Buffer) => Buffer][] = [
        ['cut short', (bytes) => bytes.subarray(0, bytes.length - 20)],
        ['empty', () => Buffer.alloc(0)],
        ['not Parquet', (bytes) => Buffer.alloc(bytes.length, 'x')],
      ];
      for (const [what, spoil] of damage) {
        it(`refuses a file that is ${what}`, async () => {
          const entry = await write(ROWS, [0, 1, 2], [0, 3]);
          const file = files.pathOf(entry.file ?? '');
          writeFileSync(file, spoil(readFileSync(file)));
          await expect(store.verify(entry)).rejects.toMatchObject({
            code: 'SEGMENT_CORRUPT',
            where: { file },
          });
        });
      }

      it('refuses a file that is not there', async () => {
        const entry = await write(ROWS, [0, 1, 2], [0, 3]);
        rmSync(files.pathOf(entry.file ?? ''));
        await expect(store.verify(entry)).rejects.toMatchObject({ code: 'SEGMENT_CORRUPT' });
      });

      it('refuses the segment of another entry', async () => {
        const entry = await write(ROWS, [0, 1, 2], [0, 3]);
        const other = { ...entry, contentHash: '0'.repeat(64) };
        await expect(store.verify(other)).rejects.toMatchObject({ code: 'SEGMENT_CORRUPT' });
      });

      it('refuses a file whose values are others, footer and all else being right', async () => {
        const entry = await write(ROWS, [0, 1, 2], [0, 3]);
        const file = files.pathOf(entry.file ?? '');
        const [footer] = await place.duckdb.query(
          `SELECT decode(value) AS text FROM parquet_kv_metadata('${file}') WHERE decode(key) = 'freshet.segment'`,
        );
        await place.duckdb.run(
          `COPY (SELECT * REPLACE (coalesce(amount, 0) AS amount) FROM read_parquet('${file}'))
           TO '${file}' (FORMAT parquet, KV_METADATA {'freshet.format': '1',
           'freshet.segment': '${footer?.['text']}'})`,
        );
        await expect(store.verify(entry)).rejects.toMatchObject({
          code: 'SEGMENT_CORRUPT',
          message: expect.stringContaining('other values'),
        });
      });
    });

    describe('sweep', () => {
      it('deletes segments that are not named, and no file of another name', async () => {
        const kept = await write(ROWS, [0, 1, 2], [0, 3]);
        const unnamed = await write(ROWS, [3, 4, 5], [3, 6]);
        await files.write('clicks.v1/notes.parquet', (path) => writeFile(path, 'of a person'));
        expect(await store.sweep(liveFiles([kept]))).toEqual([unnamed.file]);
        expect(await files.list()).toEqual([kept.file, 'clicks.v1/notes.parquet'].sort());
      });

      it('finds nothing where there is no folder yet', async () => {
        expect(await store.sweep(new Set())).toEqual([]);
      });

      it('touches nothing when the store is new and segments are there: it was lost', async () => {
        const entry = await write(ROWS, [0, 1, 2], [0, 3]);
        await expect(store.sweep(new Set())).rejects.toMatchObject({ code: 'STORE_LOST' });
        await store.verify(entry);
      });

      it('deletes the only segment when the store knows its partitions', async () => {
        const entry = await write(ROWS, [0, 1, 2], [0, 3]);
        expect(await store.sweep(new Set(), { storeIsNew: false })).toEqual([entry.file]);
      });
    });
  });
}
