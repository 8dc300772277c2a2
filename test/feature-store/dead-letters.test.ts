import { describe, expect, it } from 'vitest';
import { DEAD_LETTER_BYTES_MAX } from '../../src/core/limits.ts';
import type { DeadLetter, DeadLetterFilter } from '../../src/feature-store/index.ts';
import type { FeatureStore } from '../../src/index.ts';
import { amounts, orders, runEngine, type Shop, useShop } from './support.ts';

const newShop = useShop();
const GOOD = '{"user":"a","at":"2025-01-02T00:00:00Z","amount":1}';
const NO_KEY = '{"at":"2025-01-02T00:00:00Z","amount":1}';
const NO_TIME = '{"user":"a","amount":1}';
const NO_JSON = '{"user"';

async function append(store: FeatureStore, ...values: string[]): Promise<void> {
  const log = await store.resources.log();
  await log.append(
    values.map((value) => ({
      topic: orders.topic,
      partition: 0,
      key: Buffer.from('k'),
      value: Buffer.from(value),
      headers: [['trace', Buffer.from('7')]],
    })),
  );
}

/** A shop whose engine has read such records. */
async function shopWith(shop: Shop, ...values: string[]): Promise<FeatureStore> {
  const store = await shop.open({ config: { engine: { rowBytesMax: 1_000 } } });
  await store.apply();
  await append(store, ...values);
  await runEngine(store);
  return store;
}

async function letters(store: FeatureStore, filter?: DeadLetterFilter): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for await (const letter of store.deadLetters.list(filter)) found.push(letter);
  return found;
}

describe('dead letters', () => {
  it('are the records that the engine could not use, as they were, with reason and origin', async () => {
    const store = await shopWith(newShop(), NO_JSON, GOOD, NO_KEY, NO_TIME);
    const found = await letters(store);
    expect(found.map(({ id, code, offset }) => [id, code, offset])).toEqual([
      [0, 'ROW_UNDECODABLE', 0],
      [1, 'ROW_KEY_NULL', 2],
      [2, 'ROW_TIME_NULL', 3],
    ]);
    const [first] = found;
    expect(first).toMatchObject({ topic: 'orders', partition: 0, truncatedBytes: null });
    expect(Buffer.from(first?.value ?? []).toString()).toBe(NO_JSON);
    expect(Buffer.from(first?.key ?? []).toString()).toBe('k');
    expect(first?.headers.map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
      ['trace', '7'],
    ]);
    expect(first?.reason).not.toBe('');
    expect(await amounts(store, ['a'], 'live')).toEqual([1]);
  });

  it('can be asked for by code, by topic and by id', async () => {
    const store = await shopWith(newShop(), NO_JSON, NO_KEY, NO_JSON);
    const ids = async (filter: DeadLetterFilter): Promise<number[]> =>
      (await letters(store, filter)).map(({ id }) => id);
    expect(await ids({ code: 'ROW_UNDECODABLE' })).toEqual([0, 2]);
    expect(await ids({ topic: 'orders' })).toEqual([0, 1, 2]);
    expect(await ids({ topic: 'others' })).toEqual([]);
    expect(await ids({ id: 1 })).toEqual([1]);
    expect(await ids({ id: 1, code: 'ROW_UNDECODABLE' })).toEqual([]);
  });

  it('are none before there is a log, and none before one came', async () => {
    const shop = newShop();
    const store = await shop.open();
    expect(await letters(store)).toEqual([]);
    await store.apply();
    expect(await letters(store)).toEqual([]);
    expect(await store.deadLetters.retry()).toEqual({ sent: 0, truncated: 0 });
  });
});

describe('a retry', () => {
  it('sends each letter once, and what is still bad is a new letter', async () => {
    const store = await shopWith(newShop(), NO_JSON, NO_KEY);
    expect(await store.deadLetters.retry()).toEqual({ sent: 2, truncated: 0 });
    expect(await store.deadLetters.retry()).toEqual({ sent: 0, truncated: 0 });
    await runEngine(store);
    const found = await letters(store);
    expect(found.map(({ id, code, offset }) => [id, code, offset])).toEqual([
      [0, 'ROW_UNDECODABLE', 0],
      [1, 'ROW_KEY_NULL', 1],
      [2, 'ROW_UNDECODABLE', 2],
      [3, 'ROW_KEY_NULL', 3],
    ]);
    // Only the new ones are left to send.
    expect(await store.deadLetters.retry()).toEqual({ sent: 2, truncated: 0 });
  });

  it('of one letter sends it as often as it is asked for, marked, and counts none as sent', async () => {
    const store = await shopWith(newShop(), NO_JSON, NO_KEY);
    for (let i = 0; i < 2; i++) {
      expect(await store.deadLetters.retry({ id: 1 })).toEqual({ sent: 1, truncated: 0 });
    }
    await runEngine(store);
    const again = (await letters(store)).slice(2);
    expect(again.map(({ code }) => code)).toEqual(['ROW_KEY_NULL', 'ROW_KEY_NULL']);
    for (const { headers } of again) {
      expect(headers.map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
        ['trace', '7'],
        ['freshet-retry-of', '1'],
      ]);
    }
    expect(await store.deadLetters.retry()).toEqual({ sent: 4, truncated: 0 });
  });

  it('takes what a mended definition can read', async () => {
    const shop = newShop();
    const store = await shopWith(shop, `{"user":"a","at":"2025-01-02T00:00:00Z","amount":"x"}`);
    expect((await letters(store)).map(({ code }) => code)).toEqual(['ROW_TYPE']);
    await store.deadLetters.retry();
    await runEngine(store);
    expect(await letters(store)).toHaveLength(2);
  });

  it('cannot send what was too large to carry whole', async () => {
    const large = `{"user":"${'x'.repeat(DEAD_LETTER_BYTES_MAX)}"}`;
    const store = await shopWith(newShop(), large, NO_KEY);
    const [letter] = await letters(store);
    expect(letter).toMatchObject({ code: 'ROW_TOO_LARGE', truncatedBytes: large.length });
    expect(letter?.value).toHaveLength(DEAD_LETTER_BYTES_MAX);
    expect(await store.deadLetters.retry()).toEqual({ sent: 1, truncated: 1 });
    expect(await store.deadLetters.retry({ id: 0 })).toEqual({ sent: 0, truncated: 1 });
  });
});
