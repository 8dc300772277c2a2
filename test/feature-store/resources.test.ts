import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { ManualClock } from '../../src/core/clock.ts';
import { Resources } from '../../src/feature-store/resources.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { failure } from './support.ts';

let directory: string;
const open: Resources[] = [];
const clock = new ManualClock(0);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshet-resources-'));
});
afterEach(async () => {
  for (const resources of open.splice(0)) await resources.close();
  rmSync(directory, { recursive: true });
});

async function newResources(lender?: Resources): Promise<Resources> {
  const config = await loadConfig(directory, {}, { project: 'shop' });
  const resources = new Resources(config, clock, lender);
  open.push(resources);
  return resources;
}

describe('the resources of a feature store', () => {
  it('are opened once, when they are asked for', async () => {
    const resources = await newResources();
    expect(existsSync(join(directory, 'data'))).toBe(false);
    const [one, other] = await Promise.all([resources.state(), resources.state()]);
    expect(one).toBe(other);
    expect(await resources.log()).toBe(await resources.log());
    expect(await resources.duckdb()).toBe(await resources.duckdb());
  });

  it('that are read open nothing for writing', async () => {
    const writer = await newResources();
    const state = await writer.state();
    await state.dictionary.ensureSource('orders');
    await (await writer.log()).createTopic({ topic: 'orders', partitions: 1 });
    const reader = await newResources();
    expect(
      await reader.readState(async (state) => state.dictionary.sourceId('orders')),
    ).toBeDefined();
    expect(await (await reader.logToRead())?.listTopics()).toEqual(['orders']);
    expect((await failure(() => reader.state())).code).toBe('STORE_LOCKED');
    expect((await failure(() => reader.log())).code).toBe('LOG_LOCKED');
    // What could not be opened is tried again.
    await writer.close();
    await (await reader.state()).kv.write(new KvBatch());
    expect((await reader.leaseState()).state).toBe(await reader.state());
  });

  it('that are read follow what another process writes, no older than they may be', async () => {
    const writer = await newResources();
    const { dictionary, kv } = await writer.state();
    await dictionary.ensureSource('orders');
    const reader = await newResources();
    const key = Buffer.from('a key of the test');
    const read = () => reader.readState(async (state) => (await state.kv.get(key))?.toString());
    expect(await read()).toBeUndefined();
    for (const value of ['first', 'second']) {
      await kv.write(new KvBatch().put(key, Buffer.from(value)));
      clock.advance(1_001);
      expect(await read()).toBe(value);
    }
  });

  it('that are read are empty where there are none, until there are', async () => {
    const reader = await newResources();
    expect(await reader.logToRead()).toBeNull();
    expect(
      await reader.readState(async (state) => state.dictionary.sourceId('orders')),
    ).toBeUndefined();
    const writer = await newResources();
    await (await writer.state()).dictionary.ensureSource('orders');
    expect(
      await reader.readState(async (state) => state.dictionary.sourceId('orders')),
    ).toBeDefined();
  });

  it('are closed together, and not opened again', async () => {
    const resources = await newResources();
    const state = await resources.state();
    await resources.close();
    await resources.close();
    expect((await failure(() => state.kv.get(Buffer.from('k')))).code).toBe('STORE_CLOSED');
    for (const call of [
      () => resources.state(),
      () => resources.readState(async () => {}),
      () => resources.log(),
      () => resources.logToRead(),
      () => resources.duckdb(),
      () => resources.schemas(),
    ]) {
      expect((await failure(call)).code).toBe('STORE_CLOSED');
    }
    await (await newResources()).state();
  });

  it('of a lender stay open when those that borrowed them are closed', async () => {
    const lender = await newResources();
    const borrower = await newResources(lender);
    expect([lender.isLive, borrower.isLive]).toEqual([true, false]);
    expect(await borrower.log()).toBe(await lender.log());
    await borrower.close();
    expect(await (await lender.log()).listTopics()).toEqual([]);
  });
});
