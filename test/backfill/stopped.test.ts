import { describe, expect, it } from 'vitest';
import {
  count,
  type FeatureView,
  tumbling,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { storeChecksum } from '../../src/online/index.ts';
import { openStateStore, type StateStore } from '../../src/state/index.ts';
import { DurableKv, Machine } from '../checkpoint/machine.ts';
import { failure, interval, openState, rowsOf, SOURCE, VIEW, withBench } from './support.ts';

describe('a backfill that is stopped', () => {
  const ROWS = rowsOf(40);
  const RANGE = interval(0, 60_000_000);
  const counts = windowedFeatureView({
    name: 'counts',
    entities: VIEW.entities,
    source: SOURCE,
    aggregations: [{ function: count(), window: tumbling('10s'), name: 'n' }],
  }) as unknown as FeatureView;

  it.each([
    ['newest rows', VIEW],
    ['windows', counts],
  ])(
    'at any write of %s, by its process or by a loss of power, goes on and ends the same',
    async (_, view) => {
      await withBench(async (bench) => {
        await bench.writeFile('a', ROWS);
        const run = (state: StateStore) =>
          bench.materialize(state, RANGE, {
            ...{ view, sliceRowsMax: 8, writeRowsMax: 3, mode: 'incremental' },
          });
        const machine = new Machine();
        const undisturbed = await openStateStore(await new DurableKv().open(machine));
        await run(undisturbed);
        const checksum = await storeChecksum(undisturbed);
        expect(machine.steps.length).toBeGreaterThan(6);
        for (let at = 0; at < machine.steps.length; at++) {
          for (const [done, losesPower] of [
            [false, false],
            [true, false],
            [false, true],
            [true, true],
          ] as const) {
            const kv = new DurableKv();
            const stopped = new Machine({ at, done, kind: 'stop' });
            await failure(
              kv
                .open(stopped)
                .then((opened) => openStateStore(opened))
                .then(run),
            );
            if (losesPower) kv.losePower();
            const state = await openStateStore(await kv.open(new Machine()));
            const result = await run(state);
            expect(result.intervals, `step ${at}`).toEqual([RANGE]);
            expect(await storeChecksum(state), `step ${at}`).toEqual(checksum);
          }
        }
      });
    },
    120_000,
  );

  it('goes on behind its last slice', () =>
    withBench(async (bench) => {
      await bench.writeFile('a', ROWS);
      const kv = new DurableKv();
      const run = (state: StateStore) => bench.materialize(state, RANGE, { sliceRowsMax: 10 });
      let reports = 0;
      const machine = new Machine();
      const state = await openStateStore(await kv.open(machine));
      const stopping = bench.materialize(state, RANGE, {
        sliceRowsMax: 10,
        onProgress: () => {
          if (++reports === 5) throw new Error('stop');
        },
      });
      expect((await failure(stopping)).message).toBe('stop');
      expect(await run(state)).toMatchObject({ rowsRead: 20, intervals: [RANGE] });
    }));

  it.each([
    ['newest rows', VIEW],
    ['windows', counts],
  ])('while it reads new files into %s forgets neither them nor what was done', (_, view) =>
    withBench(async (bench) => {
      await bench.writeFile('a', ROWS);
      const kv = new DurableKv();
      const before = await openStateStore(await kv.open(new Machine()));
      await bench.materialize(before, interval(0, 45_000_000), { view });
      await bench.writeFile('b', [{ user: 'late', at: 3_000_000, amount: 1 }, ...rowsOf(20, 3)]);
      await bench.writeFile('c', rowsOf(30, 7));
      const whole = await openState();
      await bench.materialize(whole, RANGE, { view });
      const checksum = await storeChecksum(whole);
      const run = (state: StateStore) =>
        bench.materialize(state, interval(50_000_000, 60_000_000), {
          ...{ view, sliceRowsMax: 16, writeRowsMax: 3, mode: 'incremental' },
        });
      let ended = false;
      for (let at = 0; !ended; at++) {
        for (const losesPower of [false, true]) {
          const copy = await copyOf(kv);
          ended = await endsOn(copy, new Machine({ at, done: true, kind: 'stop' }), run);
          if (losesPower && !ended) copy.losePower();
          const state = await openStateStore(await copy.open(new Machine()));
          expect(await run(state), `step ${at}`).toMatchObject({ intervals: [RANGE] });
          expect(await storeChecksum(state), `step ${at}`).toEqual(checksum);
        }
      }
    }),
  );
});

/** Whether the run came to its end. */
async function endsOn(
  kv: DurableKv,
  machine: Machine,
  run: (state: StateStore) => Promise<unknown>,
): Promise<boolean> {
  try {
    await run(await openStateStore(await kv.open(machine)));
    return true;
  } catch (thrown) {
    if (machine.isOn) throw thrown;
    return false;
  }
}

/** Another store with the same content. */
async function copyOf(kv: DurableKv): Promise<DurableKv> {
  const copy = new DurableKv();
  const [from, to] = [await kv.open(new Machine()), await copy.open(new Machine())];
  const batch = new KvBatch();
  for await (const page of from.scan({})) for (const [key, value] of page) batch.put(key, value);
  await to.write(batch, { sync: true });
  return copy;
}
