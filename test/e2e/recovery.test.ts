/** What a person does after something was lost: the advice of each error, followed. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initRepository, loadRepository } from '../../src/config/index.ts';
import { openFeatureStore } from '../../src/index.ts';
import { cli } from '../cli/support.ts';

const RUN = ['run', '--until-caught-up', '--log', 'none'];

describe('a repository', { timeout: 60_000 }, () => {
  let repo = '';
  beforeEach(async () => {
    repo = await mkdtemp(join(tmpdir(), 'freshet-lost-'));
    await initRepository(repo, { project: 'shop' });
    await done('apply');
    await done('produce', 'orders', join(repo, 'orders.ndjson'));
  });
  afterEach(() => rm(repo, { recursive: true, force: true }));

  it('whose log lost records before they were read says so, and goes on when it is told to', async () => {
    await done(...RUN);
    await done('produce', 'orders', join(repo, 'orders.ndjson'));
    const gap = await removeUnread();

    const refused = await failed(...RUN);
    expect(refused).toMatchObject({ code: 'OFFSET_GAP' });
    expect(refused.where).toMatchObject({ topic: 'orders', partition: gap.partition });
    expect(refused.next).toContain('--skip-gap');
    expect((await status()).gaps).toEqual([]);

    await done(...RUN, '--skip-gap');
    const { gaps, partitions } = await status();
    expect(gaps.length).toBeGreaterThan(0);
    for (const found of gaps) expect(found).toMatchObject(gap);
    for (const { applied, sealed, end } of partitions) {
      expect({ applied, sealed }).toEqual({ applied: end, sealed: end });
    }
    const shown = await done('status');
    expect(shown).toContain(`records ${gap.fromOffset} to ${gap.toOffset - 1} of partition`);
    expect(await failed('replay', '--from', '0')).toMatchObject({ code: 'OFFSET_GAP' });
    await done(...RUN);
  });

  it('whose online store was lost touches no segment, and is rebuilt from the segments', async () => {
    await done(...RUN);
    const before = JSON.parse(await done('checksum', '--json'));
    expect(before).toHaveLength(1);
    const segments = await readdir(join(repo, 'data/offline/orders'));
    await rm(join(repo, 'data/online'), { recursive: true });

    const refused = await failed(...RUN);
    expect(refused).toMatchObject({ code: 'STORE_LOST' });
    expect(refused.next).toContain('freshet run --rebuild-store');
    expect(await readdir(join(repo, 'data/offline/orders'))).toEqual(segments);

    await done(...RUN, '--rebuild-store');
    expect(await readdir(join(repo, 'data/offline/orders'))).toEqual(segments);
    expect(JSON.parse(await done('checksum', '--json'))).toEqual(before);
    expect((await status()).segments.rows).toBe(60);
  });

  async function done(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli(args, { repo });
    expect(code, `${args.join(' ')}\n${stderr}`).toBe(0);
    return stdout;
  }

  async function failed(...args: string[]) {
    const { code, stderr } = await cli([...args, '--json'], { repo });
    expect(code).toBe(1);
    return JSON.parse(stderr).error;
  }

  async function status() {
    return JSON.parse(await done('status', '--json'))[0];
  }

  /** As retention does: all but the last record of the partition that has most to read. */
  async function removeUnread(): Promise<{
    partition: number;
    fromOffset: number;
    toOffset: number;
  }> {
    const { partitions } = await status();
    const [longest] = [...partitions].sort((a, b) => b.lagRecords - a.lagRecords);
    const { partition, applied, end } = longest;
    expect(end - applied).toBeGreaterThan(2);
    await using store = await openFeatureStore({
      directory: repo,
      definitions: await loadRepository(repo),
    });
    const log = await store.resources.log();
    await log.deleteRecordsBefore({ topic: 'orders', partition }, end - 1);
    return { partition, fromOffset: applied, toOffset: end - 1 };
  }
});
