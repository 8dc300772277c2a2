import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import { FreshetError } from '../../src/errors.ts';
import { StateFollower } from '../../src/feature-store/state-follower.ts';
import type { StateStore } from '../../src/state/index.ts';

interface Opened {
  readonly name: number;
  closed: boolean;
}

describe('the state of another process', () => {
  let clock: ManualClock;
  let opened: Opened[];
  let fail: FreshetError | null;
  let isThere: boolean;
  let follower: StateFollower;

  beforeEach(() => {
    clock = new ManualClock(0);
    opened = [];
    fail = null;
    isThere = true;
    follower = new StateFollower({
      clock,
      staleMsMax: 1_000,
      open: async () => {
        if (fail !== null) throw fail;
        const one: Opened = { name: opened.length, closed: false };
        opened.push(one);
        const close = async (): Promise<void> => {
          one.closed = true;
        };
        return { state: { ...one, close } as unknown as StateStore, isThere };
      },
    });
  });

  const read = async (): Promise<number> => {
    const { state, release } = await follower.lease();
    release();
    return (state as unknown as Opened).name;
  };

  it('is opened once for all reads while it is young', async () => {
    expect(await Promise.all([read(), read(), read()])).toEqual([0, 0, 0]);
    clock.advance(500);
    expect(await read()).toBe(0);
    expect(opened).toHaveLength(1);
  });

  it('is opened again beside the reads when it is half as old as it may be', async () => {
    await read();
    clock.advance(501);
    expect(await read()).toBe(0);
    await new Promise(setImmediate);
    expect(await read()).toBe(1);
    expect(opened.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it('is never read older than it may be', async () => {
    await read();
    clock.advance(1_001);
    expect(await Promise.all([read(), read()])).toEqual([1, 1]);
    expect(opened).toHaveLength(2);
  });

  it('stays open for a read that has it, and closes behind it', async () => {
    const long = await follower.lease();
    clock.advance(2_000);
    expect(await read()).toBe(1);
    expect(opened[0]?.closed).toBe(false);
    long.release();
    long.release();
    expect(opened.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it('goes on as it was while the next one cannot be opened, until it is too old', async () => {
    await read();
    fail = new FreshetError('STORE_CORRUPT', 'made to fail');
    clock.advance(600);
    expect(await read()).toBe(0);
    await new Promise(setImmediate);
    expect(await read()).toBe(0);
    clock.advance(600);
    await expect(read()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    fail = null;
    expect(await read()).toBe(1);
  });

  it('that is not there yet is looked for by every read', async () => {
    isThere = false;
    expect(await read()).toBe(0);
    isThere = true;
    expect(await read()).toBe(1);
    expect(await read()).toBe(1);
  });

  it('is closed with its follower', async () => {
    await read();
    await follower.close();
    await follower.close();
    expect(opened[0]?.closed).toBe(true);
  });
});
