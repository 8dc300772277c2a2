/** The commands of the template's README, in their order, as the functions behind them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initRepository, loadRepository } from '../../src/config/index.ts';
import type { TopicSource } from '../../src/definition/index.ts';
import { type FeatureStore, openFeatureStore } from '../../src/index.ts';
import { produceRows, readRows } from '../../src/producer/index.ts';

describe('a repository made by init', () => {
  let directory = '';
  let store: FeatureStore;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-template-'));
    await initRepository(directory, { project: 'shop' });
    store = await openFeatureStore({ directory, definitions: await loadRepository(directory) });
  });
  afterAll(async () => {
    await store?.close();
    await rm(directory, { recursive: true });
  });

  it('applies, and again without a change', async () => {
    await store.apply();
    const again = await store.plan();
    expect(again.filter(({ transition }) => transition !== 'UNCHANGED')).toEqual([]);
  });

  it('takes every sample row', async () => {
    const source = store.catalog.sources.get('orders') as TopicSource;
    await using producer = await store.producer(source);
    const reader = await readRows({
      input: { format: 'ndjson', path: join(directory, 'orders.ndjson') },
      source,
      duckdb: await store.resources.duckdb(),
    });
    expect(await produceRows({ producer, reader })).toMatchObject({ rowsSent: 60, rejects: [] });
  });

  it('serves the newest order of every customer, worked out to the item', async () => {
    const engine = await store.startEngine();
    await engine.caughtUp();
    await store.stopEngine();
    const entityRows = Array.from({ length: 12 }, (_, i) => ({ customer_id: i + 1 }));
    const answer = await store.getOnlineFeatures({
      service: 'next_order',
      entityRows,
    });
    const { values, statuses } = answer.toColumns();
    expect(Object.keys(values).sort()).toEqual(
      ['amount', 'amount_per_item', 'country', 'customer_id'].sort(),
    );
    for (const name of ['amount', 'amount_per_item', 'country']) {
      expect(statuses[name]).toEqual(entityRows.map(() => 'PRESENT'));
    }
  });

  it('gives the same values for training', async () => {
    const entityRows = Array.from({ length: 12 }, (_, i) => ({
      customer_id: i + 1,
      event_timestamp: new Date(),
    }));
    const request = { service: 'next_order' };
    const online = (
      await store.getOnlineFeatures({
        ...request,
        entityRows: entityRows.map(({ customer_id }) => ({ customer_id })),
      })
    ).toColumns().values;
    const historical = await store.getHistoricalFeatures({ ...request, entityRows });
    const rows = (await historical.toArray()) as Record<string, unknown>[];
    for (const name of ['amount', 'amount_per_item', 'country']) {
      expect(rows.map((row) => row[name])).toEqual(online[name]);
    }
  });
});
