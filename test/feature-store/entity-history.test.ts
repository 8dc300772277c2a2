import { describe, expect, it } from 'vitest';
import {
  entity,
  featureView,
  sliding,
  topicSource,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import type { FeatureStore } from '../../src/index.ts';
import { failure, runEngine, useShop } from './support.ts';

const START_MS = Date.parse('2025-01-01T00:00:00Z');
const MINUTE_MS = 60_000;

const seat = entity({ name: 'seat', joinKeys: { hall: 'string', seat: 'int32' } });
const sales = topicSource({
  name: 'sales',
  topic: 'sales',
  schema: { at: 'timestamp', hall: 'string', seat: 'int32', price: 'int32' },
  timestampField: 'at',
  keyFields: ['hall'],
  format: 'json',
  partitions: 2,
});
const newest = featureView({
  name: 'newest',
  entities: [seat],
  source: sales,
  schema: { price: 'int32' },
  ttl: '5m',
});
const sums = windowedFeatureView({
  name: 'sums',
  entities: [seat],
  source: sales,
  aggregations: [{ column: 'price', function: 'sum', window: sliding('10m', { exact: true }) }],
});
const newShop = useShop();

/** Sixty sales a seat, one a minute. */
async function filled(): Promise<FeatureStore> {
  const store = await newShop().open({ definitions: [newest, sums] });
  await store.apply();
  const rows = Array.from({ length: 120 }, (_, i) => ({
    at: new Date(START_MS + Math.floor(i / 2) * MINUTE_MS),
    hall: "the king's",
    seat: i % 2,
    price: i,
  }));
  await store.push('sales', rows);
  await runEngine(store);
  return store;
}

function timeUs(minute: number): number {
  return (START_MS + minute * MINUTE_MS) * 1_000;
}

describe('the history of an entity', () => {
  const chair = { hall: "the king's", seat: 1 };

  it('has the values of a view of newest rows at the time of each row', async () => {
    const store = await filled();
    const found = await store.entityHistory({ view: 'newest', entity: chair });
    expect(found).toMatchObject({ rows: 60, firstUs: timeUs(0), lastUs: timeUs(59) });
    expect(found.timesUs).toEqual(Array.from({ length: 60 }, (_, minute) => timeUs(minute)));
    expect(found.values['price']).toEqual(Array.from({ length: 60 }, (_, i) => 2 * i + 1));
  });

  it('leaves rows out evenly where there are too many, and never the newest', async () => {
    const store = await filled();
    const request = { view: 'newest', entity: chair, pointsMax: 7 };
    const { rows, timesUs } = await store.entityHistory(request);
    expect(rows).toBe(60);
    expect(timesUs).toEqual([5, 14, 23, 32, 41, 50, 59].map(timeUs));
  });

  it('has the values of windows at times that are evenly apart, rows or not', async () => {
    const store = await filled();
    const { timesUs, values } = await store.entityHistory({
      view: 'sums',
      entity: chair,
      startTime: new Date(START_MS + 60 * MINUTE_MS),
      endTime: new Date(START_MS + 70 * MINUTE_MS),
      pointsMax: 11,
    });
    expect(timesUs).toEqual(Array.from({ length: 11 }, (_, i) => timeUs(60 + i)));
    const [sum = []] = Object.values(values);
    // At minute 60 the window has minutes 51 to 59; at 69 the last row is gone.
    const expected = Array.from({ length: 11 }, (_, i) => {
      const minutes = Array.from({ length: 60 }, (_, m) => m).filter((m) => m > 50 + i);
      return minutes.length === 0 ? null : minutes.reduce((total, m) => total + 2 * m + 1, 0);
    });
    expect(sum.map((value) => (value === null ? null : Number(value)))).toEqual(expected);
  });

  it('is empty for an entity without rows', async () => {
    const store = await filled();
    const nobody = { hall: 'elsewhere', seat: 1 };
    expect(await store.entityHistory({ view: 'newest', entity: nobody })).toEqual({
      rows: 0,
      firstUs: null,
      lastUs: null,
      timesUs: [],
      values: { price: [] },
    });
  });

  it('needs all join keys and a view that is there', async () => {
    const store = await filled();
    const code = async (view: string, of: object): Promise<string> =>
      (await failure(() => store.entityHistory({ view, entity: { ...of } }))).code;
    expect(await code('newest', { hall: 'x' })).toBe('JOIN_KEY_MISSING');
    expect(await code('newest', { hall: 'x', seat: 'front' })).toBe('VALUE_TYPE');
    expect(await code('nowhere', chair)).toBe('FEATURE_VIEW_NOT_FOUND');
  });
});
