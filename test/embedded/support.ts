import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openEmbeddedLog } from '../../connectors/embedded/index.ts';
import type { KvBinding } from '../../src/kv/index.ts';
import type { Log } from '../../src/log/index.ts';

/** Opens logs in folders of their own, which go when the file's tests are done. */
export function freshLogs(binding: KvBinding): () => Promise<Log> {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
  return async () => {
    const path = await mkdtemp(join(tmpdir(), 'freshet-log-'));
    folders.push(path);
    return openEmbeddedLog({ path, binding });
  };
}
