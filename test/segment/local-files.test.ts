/** The local folder, and files as an object store keeps them, on one suite. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { localFiles } from '../../src/segment/index.ts';
import { fileStoreContract } from '../contract/file-store.ts';
import { objectFiles } from './object-files.ts';

fileStoreContract('files in a local folder', (directory) => ({
  files: localFiles(directory),
  reopen: () => localFiles(directory),
  stopWriting: (name) => half(join(directory, `${name}.tmp`)),
}));

fileStoreContract('files as an object store keeps them', (directory) => ({
  files: objectFiles(directory),
  reopen: () => objectFiles(directory),
  stopWriting: (name) => half(join(directory, 'uploads', encodeURIComponent(name))),
}));

async function half(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, 'half');
}
