import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createSegmentStore, localFiles } from '../../src/segment/index.ts';
import { segmentStoreContract } from '../contract/segment-store.ts';
import { objectFiles } from './object-files.ts';
import { openWorkplace } from './support.ts';

segmentStoreContract('the segment store of local files', createSegmentStore, localFiles);
segmentStoreContract('the segment store of objects', createSegmentStore, objectFiles);

it('sweeps temporary files of its own names out of a local folder, and nothing else', async () => {
  await using place = await openWorkplace();
  const folder = join(place.directory, 'clicks');
  mkdirSync(folder, { recursive: true });
  const half = 'clicks-2-0-3-0123456789abcdef.parquet.tmp';
  for (const name of [half, 'notes.parquet', 'notes.parquet.tmp']) {
    writeFileSync(join(folder, name), 'half a file');
  }
  writeFileSync(join(place.directory, 'notes'), 'where the folders of topics are');
  expect(await createSegmentStore(place).sweep(new Set())).toEqual([`clicks/${half}`]);
  expect(readdirSync(folder).sort()).toEqual(['notes.parquet', 'notes.parquet.tmp']);
});
