import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../src/core/fs.ts';
import { topicSource } from '../../src/definition/index.ts';
import {
  createSegmentStore,
  liveFiles,
  localFiles,
  nodeFileSystem,
  type SegmentEntry,
  type SegmentWriter,
} from '../../src/segment/index.ts';
import { batchOf, openWorkplace, type Workplace } from './support.ts';

const SOURCE = topicSource({
  name: 'clicks',
  topic: 'clicks',
  schema: { user: 'string', at: 'timestamp', tags: 'string[]' },
  timestampField: 'at',
  keyFields: ['user'],
});
const CUT = { startOffset: 0, endOffset: 100 };
const FINAL = /^clicks-0-0-100-[0-9a-f]{16}\.parquet$/;

let place: Workplace;
beforeEach(async () => {
  place = await openWorkplace();
});
afterEach(() => place[Symbol.asyncDispose]());

async function filledWriter(fs: FileSystem): Promise<SegmentWriter> {
  const rows = Array.from({ length: 100 }, (_, i) => ({ user: `u${i % 7}`, at: i, tags: ['x'] }));
  const writer = createSegmentStore({ ...place, files: localFiles(place.directory, fs) }).writer(
    SOURCE,
    0,
  );
  const batch = batchOf(SOURCE.schema, rows, { timestampField: 'at' });
  await writer.append(batch, new Float64Array(100), 0, 100);
  return writer;
}

function filesThere(): string[] {
  const folder = join(place.directory, 'clicks');
  return existsSync(folder) ? readdirSync(folder) : [];
}

async function requireWhole(entry: SegmentEntry): Promise<void> {
  expect(entry.rowCount).toBe(100);
  await createSegmentStore(place).verify(entry);
}

const STEPS = ['makeDirectory', 'sizeBytes', 'syncFile', 'rename', 'syncDirectory'] as const;

describe('a full disk', () => {
  for (const step of STEPS) {
    it(`at ${step} is DISK_FULL, leaves no temporary file, and the cut can be tried again`, async () => {
      const { fs, mend } = failing(step, Object.assign(new Error('no space'), { code: 'ENOSPC' }));
      const writer = await filledWriter(fs);
      await expect(writer.write(CUT)).rejects.toMatchObject({ code: 'DISK_FULL', retriable: true });
      expect(filesThere().filter((name) => name.endsWith('.tmp'))).toEqual([]);
      expect(writer.rowCount).toBe(100);
      mend();
      await requireWhole(await writer.write(CUT));
      expect(writer.rowCount).toBe(0);
    });
  }

  it.skipIf(!existsSync('/dev/full'))('while rows are written is DISK_FULL', async () => {
    const writer = await filledWriter({
      ...nodeFileSystem,
      async makeDirectory(directory) {
        mkdirSync(directory, { recursive: true });
      },
    });
    const whole = await (await filledWriter(nodeFileSystem)).write(CUT);
    const temporary = join(place.directory, `${whole.file}.tmp`);
    mkdirSync(dirname(temporary), { recursive: true });
    symlinkSync('/dev/full', temporary);
    await expect(writer.write(CUT)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(filesThere()).toEqual([expect.stringMatching(FINAL)]);
    await requireWhole(await writer.write(CUT));
  });
});

describe('another failure of the disk', () => {
  it('is DISK_FAILED naming the file', async () => {
    const { fs } = failing('rename', Object.assign(new Error('denied'), { code: 'EACCES' }));
    const writer = await filledWriter(fs);
    await expect(writer.write(CUT)).rejects.toMatchObject({
      code: 'DISK_FAILED',
      where: { file: expect.stringContaining('clicks-0-0-100') },
    });
  });
});

describe('a process that stops', () => {
  for (const step of STEPS) {
    it(`at ${step} leaves what the sweep removes, and the same cut is written again`, async () => {
      const stopped = failing(step, new Error('stopped'), true);
      const writer = await filledWriter(stopped.fs);
      await expect(writer.write(CUT)).rejects.toThrow('stopped');
      await writer.discard();

      const store = createSegmentStore(place);
      const left = filesThere();
      const swept = await store.sweep(new Set(), { storeIsNew: false });
      expect(swept).toEqual(left.map((name) => `clicks/${name}`));
      expect(filesThere()).toEqual([]);
      const entry = await (await filledWriter(nodeFileSystem)).write(CUT);
      await requireWhole(entry);
      expect(await store.sweep(liveFiles([entry]))).toEqual([]);
    });
  }

  it('never shows a file under its own name before its bytes are durable', async () => {
    const calls: string[] = [];
    const fs = watched((step) => {
      calls.push(`${step} ${filesThere().some((name) => FINAL.test(name)) ? 'named' : 'unnamed'}`);
    });
    await (await filledWriter(fs)).write(CUT);
    expect(calls).toEqual([
      'makeDirectory unnamed',
      'sizeBytes unnamed',
      'syncFile unnamed',
      'rename unnamed',
      'syncDirectory named',
    ]);
  });
});

describe('an append that fails', () => {
  it('closes the writer until its rows are discarded', async () => {
    const writer = await filledWriter(nodeFileSystem);
    const again = batchOf(SOURCE.schema, [{ user: 'u', at: 1 }], {
      timestampField: 'at',
      offsets: [5],
    });
    await expect(writer.append(again, new Float64Array(1), 0, 1)).rejects.toThrow(/offset 5/);
    await expect(writer.write(CUT)).rejects.toThrow(/discard/);
    await writer.discard();
    await writer.append(again, new Float64Array(1), 0, 1);
    expect(await writer.write(CUT)).toMatchObject({ rowCount: 1 });
  });
});

describe('the estimate of bytes', () => {
  it('is what DuckDB holds, and a tenth more at most', async () => {
    const writer = createSegmentStore(place).writer(SOURCE, 0);
    const rows = Array.from({ length: 8_192 }, (_, i) => ({
      user: i % 2 === 0 ? `u${i}` : `a user with a long name ${i}`,
      at: i,
      tags: ['x', 'another tag'],
    }));
    const batch = batchOf(SOURCE.schema, rows, { timestampField: 'at' });
    for (let b = 0; b < 30; b++) {
      const offsets = Float64Array.from(rows, (_, i) => b * rows.length + i);
      await writer.append({ ...batch, offsets }, new Float64Array(rows.length), 0, rows.length);
    }
    const [memory] = await place.duckdb.query(
      "SELECT memory_usage_bytes AS bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'",
    );
    const ratio = writer.bytesEstimate / Number(memory?.['bytes']);
    expect(ratio).toBeGreaterThan(0.95);
    expect(ratio).toBeLessThan(1.2);
    await writer.discard();
  });
});

/** Fails one step until mended; a stopped process removes nothing either. */
function failing(
  failed: keyof FileSystem,
  error: Error,
  isStopped = false,
): { fs: FileSystem; mend: () => void } {
  let broken = true;
  const fs = watched((step) => {
    if (broken && step === failed) throw error;
    if (broken && step === 'remove' && isStopped) throw error;
  });
  return {
    fs,
    mend: () => {
      broken = false;
    },
  };
}

function watched(onCall: (step: keyof FileSystem) => void): FileSystem {
  return new Proxy(nodeFileSystem, {
    get: (target, step: keyof FileSystem) => async (a: string, b: string) => {
      onCall(step);
      return (target[step] as (a: string, b: string) => Promise<unknown>)(a, b);
    },
  });
}
