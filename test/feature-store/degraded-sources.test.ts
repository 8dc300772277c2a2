/** What an answer says of its sources: nothing while all is well, and what is wrong otherwise. */
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import { FreshetError } from '../../src/errors.ts';
import { DegradedSources } from '../../src/feature-store/degraded-sources.ts';
import type { FeatureStore } from '../../src/index.ts';
import type { PartitionStatus } from '../../src/pipeline/index.ts';
import { openTestStore } from '../state/test-store.ts';
import { orders, produce, runEngine, useShop } from './support.ts';

const newShop = useShop();

async function degraded(store: FeatureStore, features = ['live:amount']) {
  const answer = await store.getOnlineFeatures({ features, entityRows: [{ user: 'a' }] });
  return answer.degraded;
}

/** A store that has read three rows, whose topic then loses all it had and some that came later. */
async function cutStore(): Promise<FeatureStore> {
  const store = await newShop().open();
  await store.apply();
  await produce(store, [['a', '2025-01-01T00:00:00Z', 1]]);
  await runEngine(store);
  for (let k = 0; k < 5; k++) await produce(store, [['a', '2025-01-02T00:00:00Z', k]]);
  const log = await store.resources.log();
  const tps = [0, 1].map((partition) => ({ topic: orders.topic, partition }));
  for (const { end, ...tp } of await log.watermarks(tps)) {
    if (end > 0) await log.deleteRecordsBefore(tp, end - 1);
  }
  return store;
}

describe('an answer', () => {
  it('says nothing while all is well, with an engine and without one', async () => {
    const store = await newShop().open();
    await store.apply();
    await produce(store, [['a', '2025-01-01T00:00:00Z', 1]]);
    expect(await degraded(store)).toEqual([]);
    const engine = await store.startEngine();
    await engine.caughtUp();
    expect(await degraded(store)).toEqual([]);
  });

  it('says that the engine has stopped, of the views that it feeds', async () => {
    const store = await cutStore();
    const engine = await store.startEngine();
    await expect(engine.finished).rejects.toMatchObject({ code: 'OFFSET_GAP' });
    const reason = 'the engine stopped: OFFSET_GAP';
    expect(await degraded(store)).toEqual([
      { source: 'orders', topic: 'orders', partition: null, state: 'STOPPED', reason },
    ]);
    expect(await degraded(store, ['past:amount'])).toEqual([]);
    await expect(store.stopEngine()).rejects.toMatchObject({ code: 'OFFSET_GAP' });
    expect(await degraded(store)).toEqual([]);
  });

  it('says which records the state lacks, as soon as they are skipped and ever after', async () => {
    const store = await cutStore();
    expect(await degraded(store)).toEqual([]);
    const engine = await store.startEngine({ skipGap: true });
    await engine.caughtUp();
    const lacking = await degraded(store);
    expect(lacking).toMatchObject([{ source: 'orders', state: 'GAP' }]);
    expect(lacking[0]?.reason).toMatch(/^records 1 to 4 of partition \d were removed/);
    await store.stopEngine();
    expect(await degraded(store)).toEqual(lacking);
  });

  it('says so of a state that was replayed from what is left', async () => {
    const store = await cutStore();
    expect(await degraded(store)).toEqual([]);
    await store.replay({ from: 'earliest', skipGap: true });
    const lacking = await degraded(store);
    expect(lacking.map(({ state, reason }) => `${state} ${reason.slice(0, 14)}`)).toEqual([
      'GAP records 0 to 0',
      'GAP records 1 to 4',
    ]);
  });
});

describe('what the engine of this process knows', () => {
  const at = (retryAtMs: number | null, partition = 0) =>
    ({ topic: 'orders', partition, retryAtMs }) as PartitionStatus;

  it('is looked at ten times a second: a suspended partition, and a log that cannot be read', async () => {
    const clock = new ManualClock(0);
    const state = await openTestStore();
    const sources = new DegradedSources(clock);
    const engine = {
      finished: new Promise<void>(() => {}),
      failedPolls: 0,
      gapsSkipped: 0,
      status: () => [at(null), at(null, 1)],
    };
    const statesOf = () => sources.of(state, orders).map(({ state: s, partition: p }) => [s, p]);
    sources.watch(engine);
    expect(statesOf()).toEqual([]);
    engine.status = () => [at(null), at(1_000, 1)];
    engine.failedPolls = 3;
    expect(statesOf()).toEqual([]);
    clock.advance(100);
    expect(statesOf()).toEqual([
      ['LOG_UNAVAILABLE', null],
      ['SUSPENDED', 1],
    ]);
    expect(sources.of(state, orders)[1]?.reason).toContain('tried again at 1970-01-01T00:00:01');
    sources.watch(null);
    expect(statesOf()).toEqual([]);
  });

  it('is forgotten with the engine: one that failed before does not speak for the next', async () => {
    const state = await openTestStore();
    const sources = new DegradedSources(new ManualClock(0));
    const failed = Promise.reject<void>(new FreshetError('OFFSET_GAP', 'gone'));
    const rest = { failedPolls: 0, gapsSkipped: 0, status: () => [at(null)] };
    sources.watch({ ...rest, finished: failed }, ['orders']);
    await failed.catch(() => {});
    expect(sources.of(state, orders)).toMatchObject([{ state: 'STOPPED' }]);
    sources.watch({ ...rest, finished: new Promise<void>(() => {}) }, ['orders']);
    expect(sources.of(state, orders)).toEqual([]);
  });
});
