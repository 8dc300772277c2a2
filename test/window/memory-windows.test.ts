/** Runs of tiles that were merged beforehand, against the tiles one by one. */
import { describe, expect, it } from 'vitest';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import {
  count,
  entity,
  sliding,
  topicSource,
  type Windowing,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import { MemoryWindows, planWindows, windowRowReader } from '../../src/window/index.ts';
import { updateTile } from '../../src/window/tile.ts';
import { makeRows } from '../online/make-rows.ts';
import { generator, seeds } from './streams.ts';

const SCHEMA = { key: 'string', ts: 'timestamp' } as const;
const view = windowedFeatureView({
  name: 'counts',
  entities: [entity({ name: 'key', joinKeys: { key: 'string' } })],
  source: topicSource({ name: 's', topic: 's', schema: SCHEMA, timestampField: 'ts' }),
  aggregations: [{ function: count(), window: sliding('1h'), name: 'rows' }],
});
const plan = planWindows(view, view.windowing as Windowing);
const group = plan.groups[0]!;
const row = makeRows(SCHEMA, [{ at: 0, key: 'a', ts: 0 }]);
const { columns } = windowRowReader(
  view,
  view.windowing as Windowing,
  plan,
  rowLayout(SCHEMA),
)(row);
const inOrder = { ...row, rank: RANK_STREAM, partition: 0 } as const;

function rowsOf(windows: MemoryWindows, first: number, last: number): number {
  const irs: (readonly unknown[])[] = [];
  windows.collectIrs(group, { first, last }, irs);
  return irs.reduce((sum, [ir]) => sum + (ir as { readonly count: number }).count, 0);
}

describe('windows in memory', () => {
  it.each(seeds(20))(
    'count each tile of a range once, whatever was asked before, seed %i',
    (seed) => {
      const random = generator(seed);
      const upTo = (n: number): number => Math.floor(random() * n);
      const windows = new MemoryWindows();
      const naive = new Map<number, number>();
      const size = 10 + upTo(180);
      let below = -50;
      for (let step = 0, now = below; step < 1_500; step++, now += upTo(4)) {
        for (let left = upTo(3); left > 0; left--) {
          // Mostly the newest tile, sometimes one that is in a run.
          const index = Math.max(below, now - (random() < 0.9 ? 0 : upTo(size)));
          updateTile(group, windows.tileForUpdate(group, index), columns[0]!, inOrder, 0);
          naive.set(index, (naive.get(index) ?? 0) + 1);
        }
        const last = now - (random() < 0.8 ? 0 : upTo(size));
        const first = Math.max(below, last - size);
        let expected = 0;
        for (let index = first; index <= last; index++) expected += naive.get(index) ?? 0;
        expect(rowsOf(windows, first, last), `${first} to ${last} at step ${step}`).toBe(expected);
        if (step % 100 === 99) {
          below = now - size - upTo(size);
          windows.dropBelow(group, below);
          for (const index of naive.keys()) if (index < below) naive.delete(index);
        }
      }
      expect(windows.tile(group, below - 1)).toBeUndefined();
    },
  );
});
