import { describe, expect, it } from 'vitest';
import {
  count,
  type Definition,
  definitionRecord,
  entity,
  featureService,
  onDemandFeatureView,
  requestSource,
  sliding,
  tumbling,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import { incompatibilities } from '../../src/registry/incompatibilities.ts';
import { cart, history, historyOf, orders, ordersOf, SCHEMA, spendingOf, user } from './support.ts';

function reasons(before: object, after: object): readonly string[] {
  return incompatibilities(
    definitionRecord(before as Definition),
    definitionRecord(after as Definition),
  );
}

const WITH_MADE = { ...SCHEMA, made: 'timestamp' } as const;
const windowed = (window: ReturnType<typeof sliding>) =>
  windowedFeatureView({
    name: 'spending',
    entities: [user],
    source: orders,
    aggregations: [{ function: count(), window, name: 'n' }],
  });

describe('a change that breaks what is stored', () => {
  it.each<[string, object, object, string]>([
    [
      'the join keys of an entity',
      user,
      entity({ name: 'user', joinKeys: { user: 'int64' } }),
      'joinKeys was {"user":"string"} and is {"user":"int64"}: stored rows are found by',
    ],
    ['a topic', ordersOf(), ordersOf({ topic: 'other' }), 'topic was "orders" and is "other"'],
    ['partitions', ordersOf(), ordersOf({ partitions: 2 }), 'partitions was 4 and is 2'],
    ['key fields', ordersOf(), ordersOf({ keyFields: ['user'] }), 'keyFields was [] and is'],
    [
      'the time field of a stream',
      ordersOf({ schema: WITH_MADE }),
      ordersOf({ schema: WITH_MADE, timestampField: 'made' }),
      'timestampField was "at" and is "made"',
    ],
    [
      'the created time of a stream',
      ordersOf({ schema: WITH_MADE }),
      ordersOf({ schema: WITH_MADE, createdTimestampField: 'made' }),
      'createdTimestampField was null and is "made"',
    ],
    ['a format', ordersOf(), ordersOf({ format: 'json' }), 'format was "avro" and is "json"'],
    [
      'the type of a field of a stream',
      ordersOf(),
      ordersOf({ schema: { ...SCHEMA, amount: 'int64' } }),
      '"amount" is int64, but segments hold int32',
    ],
    [
      'the time field of a history',
      historyOf({ schema: WITH_MADE }),
      historyOf({ schema: WITH_MADE, timestampField: 'made' }),
      'timestampField was "at"',
    ],
    [
      'the created time of a history',
      historyOf({ schema: WITH_MADE }),
      historyOf({ schema: WITH_MADE, createdTimestampField: 'made' }),
      'createdTimestampField was null',
    ],
    [
      'the type of a field of a history',
      historyOf(),
      historyOf({ schema: { ...SCHEMA, amount: 'string' } }),
      '"amount" is string, but rows are stored with int32',
    ],
    ['the entities of a view', spendingOf(), spendingOf({ entities: [] }), 'joinKeys was'],
    [
      'the stream of a view',
      spendingOf(),
      spendingOf({ source: ordersOf({ name: 'others', topic: 'others' }) }),
      'streamSource was "orders" and is "others": rows of the old source would stay',
    ],
    [
      'the history of a view',
      spendingOf({ batchSource: history }),
      spendingOf(),
      'batchSource was "history" and is null',
    ],
    [
      'the type of a feature',
      spendingOf(),
      spendingOf({
        source: ordersOf({ schema: { ...SCHEMA, amount: 'float64' } }),
        schema: { amount: 'float64' },
      }),
      '"amount" is float64, but rows are stored with int32',
    ],
  ])('%s', (_, before, after, reason) => {
    const found = reasons(before, after);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(reason);
    expect(reasons(before, before)).toEqual([]);
  });

  it('names every reason', () => {
    const after = ordersOf({ topic: 'other', partitions: 1, format: 'json' });
    expect(reasons(ordersOf(), after)).toHaveLength(3);
  });
});

describe('a change that breaks nothing', () => {
  const total = (price: 'float64' | 'int32') =>
    onDemandFeatureView({
      name: 'total',
      sources: [requestSource({ name: 'cart', schema: { price } })],
      schema: { total: price },
      transform: () => ({ total: 0 }),
    });
  it.each<[string, object, object]>([
    ['a new field', ordersOf(), ordersOf({ schema: WITH_MADE })],
    ['a field that goes', ordersOf({ schema: WITH_MADE }), ordersOf()],
    ['how late rows may be', ordersOf(), ordersOf({ outOfOrderMs: 5, idleMs: 5, maxAheadMs: 5 })],
    ['another path', historyOf(), historyOf({ path: 'other' })],
    ['a column map', historyOf(), historyOf({ columnMap: { user: 'user_id' } })],
    [
      'a new feature',
      spendingOf(),
      spendingOf({ schema: { amount: 'int32', user: 'string' }, entities: [user] }),
    ],
    ['a history beside the stream', spendingOf(), spendingOf({ batchSource: history })],
    [
      'a stream beside the history',
      spendingOf({ source: history }),
      spendingOf({ batchSource: history }),
    ],
    ['windows', windowed(sliding('1h')), windowed(tumbling('1h') as never)],
    ['a TTL', spendingOf(), spendingOf({ ttl: '1d', grace: '1m' })],
    ['switches', spendingOf(), spendingOf({ online: false, offline: false, enabled: false })],
    ['metadata', spendingOf(), spendingOf({ tags: { a: 'b' }, owner: 'me', description: 'x' })],
    ['what is computed at the read', total('float64'), total('int32')],
    ['request data', cart, requestSource({ name: 'cart', schema: { price: 'string' } })],
    [
      'a service',
      featureService({ name: 'model', features: [spendingOf()] }),
      featureService({ name: 'model', features: [spendingOf().withName('other')] }),
    ],
  ])('%s', (_, before, after) => {
    expect(reasons(before, after)).toEqual([]);
  });
});
