import { describe, expect, it } from 'vitest';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_BATCH } from '../../src/core/row-order.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { createRowUpserter, type InspectedRow, inspectRows } from '../../src/online/index.ts';
import { openTestStore } from '../state/test-store.ts';
import { stats } from './fixtures.ts';
import { makeRows } from './make-rows.ts';

describe('inspectRows', () => {
  it('shows rows in key order, without what they had no column for', async () => {
    const state = await openTestStore();
    const schema = { date: 'timestamp', airport: 'string', delay: 'int32' } as const;
    const sourceId = await state.dictionary.ensureSource('history');
    const layout = rowLayout(schema);
    const upserter = await createRowUpserter({
      state,
      view: stats,
      sourceId,
      layout,
      partitions: 1,
    });
    const into = new KvBatch();
    const rows = makeRows(layout, [
      { at: 2, created: 3, airport: 'JFK', delay: null },
      { at: 1, airport: 'BOS', delay: 4 },
    ]);
    await upserter.upsert(rows, { partition: 0, rank: RANK_BATCH }, into);
    await state.kv.write(into);
    const found: InspectedRow[] = [];
    for await (const row of inspectRows(state, stats)) found.push(row);
    expect(found).toEqual([
      {
        view: 'stats',
        source: 'history',
        partition: 0,
        entityKey: { airport: 'BOS' },
        features: { delay: 4 },
        eventTimeUs: 1,
        createdTimeUs: null,
        rank: RANK_BATCH,
        offset: 1,
      },
      {
        view: 'stats',
        source: 'history',
        partition: 0,
        entityKey: { airport: 'JFK' },
        features: { delay: null },
        eventTimeUs: 2,
        createdTimeUs: 3,
        rank: RANK_BATCH,
        offset: 0,
      },
    ]);
  });

  it('shows nothing of a view that was never written', async () => {
    const found: InspectedRow[] = [];
    for await (const row of inspectRows(await openTestStore(), stats)) found.push(row);
    expect(found).toEqual([]);
  });
});
