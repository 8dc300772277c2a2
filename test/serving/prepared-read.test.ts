/** Receipts of streamed rows; the rest of a read is in `online-serving.test.ts`. */
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import { partitionForKey } from '../../src/core/murmur2.ts';
import { RANK_BATCH, RANK_STREAM } from '../../src/core/row-order.ts';
import { buildCatalog } from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { createRowUpserter } from '../../src/online/index.ts';
import { PreparedRead } from '../../src/serving/prepared-read.ts';
import { planFeatures } from '../../src/transform/index.ts';
import { LAYOUT, stats } from '../online/fixtures.ts';
import { makeRows } from '../online/make-rows.ts';
import { openTestStore } from '../state/test-store.ts';

const PARTITIONS = 4;
const home = partitionForKey(Buffer.from('JFK'), PARTITIONS);

async function openReceipts() {
  const state = await openTestStore();
  const catalog = buildCatalog([stats]);
  const asked: string[] = [];
  const kv = state.kv.getMany;
  state.kv.getMany = (keys) => {
    asked.push('rows');
    return kv.call(state.kv, keys);
  };
  const options = {
    state,
    catalog,
    clock: new ManualClock(0),
    partitionsOf: () => PARTITIONS,
    positionsOf: () => {
      asked.push('positions');
      return Array.from({ length: PARTITIONS }, (_, p) => ({ applied: 10 + p, streamTimeUs: p }));
    },
    fingerprintOf: () => 'f1',
    degradedOf: () => [],
  };
  const prepared = new PreparedRead(options, planFeatures(catalog, { features: ['stats:delay'] }));
  const write = async (source: string, partition: number, at: number): Promise<void> => {
    const isBatch = source === 'history';
    const upserter = await createRowUpserter({
      state,
      view: stats,
      sourceId: await state.dictionary.ensureSource(source),
      layout: LAYOUT,
      partitions: isBatch ? 1 : PARTITIONS,
    });
    const into = new KvBatch();
    const rows = makeRows(LAYOUT, [{ at, airport: 'JFK', delay: at }]);
    await upserter.upsert(rows, { partition, rank: isBatch ? RANK_BATCH : RANK_STREAM }, into);
    await state.kv.write(into);
  };
  const receipt = async (airport = 'JFK') => {
    asked.length = 0;
    const answer = await prepared.read([{ airport }], {
      atUs: 0,
      isAsOf: false,
      includeReceipt: true,
    });
    return answer.receipts?.['stats']?.[0];
  };
  return { write, receipt, asked };
}

describe('the receipt of a streamed row', () => {
  const atHome = {
    view: 'stats',
    fingerprint: 'f1',
    topic: 'flights',
    partition: home,
    appliedOffset: 10 + home,
    streamTimeUs: home,
    freshnessUs: -1,
    effectiveAtUs: 0,
  };

  it('says where the home partition stands, with a row or without', async () => {
    const { write, receipt } = await openReceipts();
    await write('flights', home, 1);
    expect(await receipt()).toEqual(atHome);
    const bos = partitionForKey(Buffer.from('BOS'), PARTITIONS);
    expect(await receipt('BOS')).toMatchObject({
      partition: bos,
      appliedOffset: 10 + bos,
      freshnessUs: null,
    });
  });

  it('takes the positions before the rows, so that it never promises too much', async () => {
    const { write, receipt, asked } = await openReceipts();
    await write('flights', home, 1);
    await receipt();
    expect(asked).toEqual(['positions', 'rows']);
  });

  it('names no partition for batch history and for a row that could be anywhere', async () => {
    const { write, receipt } = await openReceipts();
    await write('flights', home, 1);
    await write('history', 0, 2);
    expect(await receipt()).toMatchObject({ topic: null, partition: null, appliedOffset: null });
    await write('flights', (home + 1) % PARTITIONS, 3);
    expect(await receipt()).toMatchObject({ partition: (home + 1) % PARTITIONS });
    expect(await receipt('BOS')).toMatchObject({ topic: 'flights', partition: null });
  });
});
