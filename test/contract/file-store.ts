import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileStore } from '../../src/segment/index.ts';
import { openWorkplace, type Workplace } from '../segment/support.ts';

/** A store of files, and the same one as a process sees it that starts after a stop. */
export interface FileStoreFixture {
  readonly files: FileStore;
  reopen(): FileStore;
  /** Lets a write of this name stop half-way, as a process that is killed, and leaves what that leaves. */
  stopWriting(name: string): Promise<void>;
}

/** What every store of files does, whatever it keeps them in; `open` in a folder that is not there yet. */
export function fileStoreContract(
  title: string,
  open: (directory: string) => FileStoreFixture,
): void {
  describe(title, () => {
    let place: Workplace;
    let fixture: FileStoreFixture;
    let files: FileStore;
    beforeEach(async () => {
      place = await openWorkplace();
      fixture = open(place.directory);
      files = fixture.files;
    });
    afterEach(() => place[Symbol.asyncDispose]());

    const put = (name: string, text: string): Promise<number> =>
      files.write(name, (path) => writeFile(path, text));
    const read = (store: FileStore, name: string): Promise<string> =>
      readFile(store.pathOf(name), 'utf8');

    it('has no files before the first write', async () => {
      expect(await files.list()).toEqual([]);
      expect(await files.removeUnfinished(() => true)).toEqual([]);
    });

    it('keeps what was written, over a stop, and lists it by name', async () => {
      expect(await put('b/2', 'two')).toBe(3);
      expect(await put('a/1', 'one!')).toBe(4);
      for (const store of [files, fixture.reopen()]) {
        expect(await store.list()).toEqual(['a/1', 'b/2']);
        expect([await read(store, 'a/1'), await read(store, 'b/2')]).toEqual(['one!', 'two']);
        expect(await store.sizeBytes('a/1')).toBe(4);
      }
    });

    it('puts a file in the place of one of its name', async () => {
      await put('a/1', 'one');
      await put('a/1', 'another');
      expect(await files.list()).toEqual(['a/1']);
      expect(await read(files, 'a/1')).toBe('another');
    });

    it.each([
      ['before anything is there', null],
      ['over a file of that name', 'one'],
    ])(
      'leaves a name as it was when a write fails %s, and takes the next try',
      async (_, before) => {
        if (before !== null) await put('a/1', before);
        const failed = files.write('a/1', async (path) => {
          await writeFile(path, 'half');
          throw new Error('the query failed');
        });
        await expect(failed).rejects.toThrow('the query failed');
        expect(await files.list()).toEqual(before === null ? [] : ['a/1']);
        if (before !== null) expect(await read(files, 'a/1')).toBe(before);
        expect(await fixture.reopen().removeUnfinished(() => true)).toEqual([]);
        await put('a/1', 'whole');
        expect(await read(files, 'a/1')).toBe('whole');
      },
    );

    it('fails a write that fills nothing, and has no file then', async () => {
      await expect(files.write('a/1', async () => {})).rejects.toMatchObject({
        code: 'DISK_FAILED',
      });
      expect(await files.list()).toEqual([]);
    });

    it('writes several files at once, of one folder too', async () => {
      const names = Array.from({ length: 20 }, (_, i) => `${i % 3}/file-${i}`);
      await Promise.all(names.map((name) => put(name, name)));
      expect(await files.list()).toEqual([...names].sort());
      for (const name of names) expect(await read(files, name)).toBe(name);
    });

    it('removes files, and takes it for done when one is not there', async () => {
      await put('a/1', 'one');
      await put('a/2', 'two');
      await files.remove(['a/1', 'a/3', 'b/1']);
      expect(await files.list()).toEqual(['a/2']);
      await expect(read(files, 'a/1')).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(files.sizeBytes('a/1')).rejects.toMatchObject({ code: 'DISK_FAILED' });
    });

    it('has nothing of a write that a stop cut short, and removes its rest where that is ours', async () => {
      await put('a/1', 'one');
      await fixture.stopWriting('a/1');
      await fixture.stopWriting('a/2');
      await fixture.stopWriting('a/theirs');
      const after = fixture.reopen();
      expect(await after.list()).toEqual(['a/1']);
      expect(await read(after, 'a/1')).toBe('one');
      const isOurs = (name: string): boolean => /^a\/\d$/.test(name);
      expect(await after.removeUnfinished(isOurs)).toHaveLength(2);
      expect(await after.removeUnfinished(isOurs)).toEqual([]);
      expect(await after.removeUnfinished(() => true)).toHaveLength(1);
      expect(await after.list()).toEqual(['a/1']);
    });

    it('gives paths that DuckDB writes to and reads from', async () => {
      const name = `a/it's "odd".parquet`;
      await files.write(name, (path) =>
        place.duckdb.run(
          `COPY (SELECT 42 AS answer) TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`,
        ),
      );
      const path = files.pathOf(name);
      expect(fixture.reopen().pathOf(name)).toBe(path);
      const rows = await place.duckdb.query(
        `SELECT * FROM read_parquet('${path.replaceAll("'", "''")}')`,
      );
      expect(rows).toEqual([{ answer: 42 }]);
      await rm(path);
      await expect(files.sizeBytes(name)).rejects.toMatchObject({ code: 'DISK_FAILED' });
    });
  });
}
