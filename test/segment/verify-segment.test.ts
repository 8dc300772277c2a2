import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topicSource } from '../../src/definition/index.ts';
import {
  createSegmentStore,
  type SegmentEntry,
  type SegmentStore,
} from '../../src/segment/index.ts';
import { batchOf, openWorkplace, type Workplace } from './support.ts';

const SOURCE = topicSource({
  name: 'clicks',
  topic: 'clicks',
  schema: { user: 'string', at: 'timestamp', amount: 'float64' },
  timestampField: 'at',
});

describe('verifying a segment', () => {
  let place: Workplace;
  let store: SegmentStore;
  let entry: SegmentEntry;
  let file: string;
  let bytes: Buffer;
  beforeAll(async () => {
    place = await openWorkplace();
    store = createSegmentStore(place);
    const rows = Array.from({ length: 500 }, (_, i) => ({
      user: `user ${i % 50}`,
      at: i,
      amount: i * 0.1,
    }));
    const writer = store.writer(SOURCE, 0);
    const batch = batchOf(SOURCE.schema, rows, { timestampField: 'at' });
    await writer.append(batch, new Float64Array(500), 0, 500);
    entry = await writer.write({ startOffset: 0, endOffset: 500 });
    file = join(place.directory, entry.file as string);
    bytes = readFileSync(file);
  });
  afterAll(() => place[Symbol.asyncDispose]());

  it('finds one wrong byte wherever it changes a value', async () => {
    const query = `SELECT * FROM (${store.relation([entry], SOURCE)}) ORDER BY _offset`;
    const rows = await place.duckdb.query(query);
    let found = 0;
    for (let at = 4; at < bytes.length - 8; at += Math.floor(bytes.length / 60)) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      writeFileSync(file, damaged);
      const code = await store.verify(entry).then(
        () => null,
        (error: { code?: string }) => error.code,
      );
      if (code === null) expect(await place.duckdb.query(query)).toEqual(rows);
      else expect(code).toBe('SEGMENT_CORRUPT');
      if (code !== null) found++;
    }
    expect(found).toBeGreaterThan(10);
    writeFileSync(file, bytes);
    await store.verify(entry);
  });

  const footers: [what: string, metadata: string, message: RegExp][] = [
    ['another format', "{'freshet.format': '2'}", /format 2, not 1/],
    ['no footer of ours', "{'owner': 'someone'}", /no Freshet footer/],
    ['no entry', "{'freshet.format': '1'}", /footer that its entry contradicts/],
  ];
  for (const [what, metadata, message] of footers) {
    it(`refuses a file with ${what}`, async () => {
      const relation = store.relation([entry], SOURCE);
      const other = file.replace('-500-', '-501-');
      await place.duckdb.run(
        `COPY (${relation}) TO '${other}' (FORMAT parquet, KV_METADATA ${metadata})`,
      );
      const claimed = { ...entry, file: entry.file?.replace('-500-', '-501-') ?? null };
      await expect(store.verify(claimed)).rejects.toMatchObject({
        code: 'SEGMENT_CORRUPT',
        message: expect.stringMatching(message),
      });
    });
  }
});
