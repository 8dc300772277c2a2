import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  count,
  type Definition,
  definitionRecord,
  entity,
  type FeatureView,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
  sliding,
  sum,
  topicSource,
  tumbling,
  viewFingerprint,
  windowedFeatureView,
} from '../../src/definition/index.ts';

const SCHEMA = { at: 'timestamp', user: 'string', amount: 'int32', note: 'string' } as const;
const METADATA = { description: 'what it is', tags: { team: 'a' }, owner: 'a@example.com' };

const user = entity({ name: 'user', joinKeys: { user: 'string' } });
const orders = topicSource({
  name: 'orders',
  topic: 'orders',
  schema: SCHEMA,
  timestampField: 'at',
});
const history = parquetSource({
  name: 'history',
  path: 'history',
  schema: SCHEMA,
  timestampField: 'at',
});
const spending = featureView({
  name: 'spending',
  entities: [user],
  source: orders,
  schema: { amount: 'int32', note: 'string' },
});
const cart = requestSource({ name: 'cart', schema: { price: 'float64' } });

const fingerprint = (definition: Definition): string => definitionRecord(definition).fingerprint;
const viewOf = (spec: object): FeatureView =>
  featureView({
    name: 'spending',
    entities: [user],
    source: orders,
    schema: { amount: 'int32', note: 'string' },
    ...spec,
  } as never) as unknown as FeatureView;

describe('the fingerprint of a definition', () => {
  it('is the same in every run', () => {
    // Golden: a stored registry is compared with fingerprints of later versions.
    expect([user, orders, history, spending].map(fingerprint)).toMatchInlineSnapshot(`
      [
        "92fbda9cce72da68",
        "0ee82aa6783be564",
        "b8d60f84ba7f1c32",
        "b2a2d039921e10cb",
      ]
    `);
    expect(viewFingerprint(spending as unknown as FeatureView)).toMatchInlineSnapshot(
      `"17250c554ca0ac50"`,
    );
  });

  it('does not know the order in which fields are written', () => {
    const fields = Object.entries(SCHEMA);
    fc.assert(
      fc.property(fc.shuffledSubarray(fields, { minLength: fields.length }), (shuffled) => {
        const schema = Object.fromEntries(shuffled) as typeof SCHEMA;
        const again = topicSource({
          name: 'orders',
          topic: 'orders',
          schema,
          timestampField: 'at',
        });
        expect(fingerprint(again)).toBe(fingerprint(orders));
      }),
      { seed: 20_251_125 },
    );
    expect(fingerprint(viewOf({ schema: { note: 'string', amount: 'int32' } }))).toBe(
      fingerprint(spending),
    );
  });

  it('does not know names, descriptions, tags and owners, which the record keeps beside it', () => {
    const described = viewOf(METADATA);
    expect(fingerprint(described)).toBe(fingerprint(spending));
    expect(definitionRecord(described)).toMatchObject(METADATA);
    const other = entity({ name: 'customer', joinKeys: { user: 'string' }, ...METADATA });
    expect(fingerprint(other)).toBe(fingerprint(user));
  });

  it.each<[string, object]>([
    ['entities', { entities: [] }],
    ['a join key', { entities: [entity({ name: 'user', joinKeys: { note: 'string' } })] }],
    ['features', { schema: { amount: 'int32' } }],
    ['a type', { schema: { amount: 'int64', note: 'string' }, source: typed('int64') }],
    ['its source', { source: history }],
    ['a batch history beside the stream', { batchSource: history }],
    ['TTL', { ttl: '1d' }],
    ['grace', { grace: '1m' }],
    ['online', { online: false }],
    ['offline', { offline: false }],
    ['enabled', { enabled: false }],
  ])('of a view changes with its %s', (_, spec) => {
    expect(fingerprint(viewOf(spec))).not.toBe(fingerprint(spending));
  });

  it.each<[string, object]>([
    ['topic', { topic: 'purchases' }],
    ['format', { format: 'json' }],
    ['schema', { schema: { ...SCHEMA, more: 'bool' } }],
    ['time field', { schema: { ...SCHEMA, made: 'timestamp' }, timestampField: 'made' }],
    ['created time', { createdTimestampField: 'at' }],
    ['key fields', { keyFields: ['user'] }],
    ['partitions', { partitions: 8 }],
    ['outOfOrderMs', { outOfOrderMs: 1 }],
    ['idleMs', { idleMs: 1 }],
    ['maxAheadMs', { maxAheadMs: 1 }],
  ])('of a topic source changes with its %s', (_, spec) => {
    const changed = topicSource({
      name: 'orders',
      topic: 'orders',
      schema: SCHEMA,
      timestampField: 'at',
      ...spec,
    } as never);
    expect(fingerprint(changed)).not.toBe(fingerprint(orders));
  });

  it.each<[string, object]>([
    ['path', { path: 'elsewhere' }],
    ['column map', { columnMap: { user: 'user_id' } }],
    ['created time', { createdTimestampField: 'at' }],
  ])('of a Parquet source changes with its %s', (_, spec) => {
    const changed = parquetSource({
      name: 'history',
      path: 'history',
      schema: SCHEMA,
      timestampField: 'at',
      ...spec,
    } as never);
    expect(fingerprint(changed)).not.toBe(fingerprint(history));
  });

  it('of a windowed view changes with the text of its functions and with its windows', () => {
    const base = { where: (row: { amount: number | null }) => row.amount !== null };
    const windowed = (spec: object = {}): string =>
      fingerprint(
        windowedFeatureView({
          name: 'windows',
          entities: [user],
          source: orders,
          ...base,
          derive: {
            big: { type: 'bool', of: (row: { amount: number | null }) => (row.amount ?? 0) > 100 },
          },
          aggregations: [{ function: count(), window: sliding('1h'), name: 'n' }],
          ...spec,
        } as never) as unknown as FeatureView,
      );
    const variants = [
      {},
      { where: () => true },
      { where: undefined },
      { derive: { big: { type: 'bool', of: () => true } } },
      { derive: {} },
      { aggregations: [{ function: count(), window: sliding('2h'), name: 'n' }] },
      { aggregations: [{ function: count(), window: tumbling('1h'), name: 'n' }] },
      { aggregations: [{ column: 'amount', function: count(), window: sliding('1h'), name: 'n' }] },
      { aggregations: [{ column: 'amount', function: sum(), window: sliding('1h'), name: 'n' }] },
    ];
    expect(new Set(variants.map(windowed)).size).toBe(variants.length);
    expect(windowed()).toBe(windowed());
  });

  it('of an on-demand view changes with its transform, its sources and its outputs', () => {
    const odfv = (spec: object = {}): string =>
      fingerprint(
        onDemandFeatureView({
          name: 'total',
          sources: [spending, cart],
          schema: { total: 'float64' },
          transform: (row: { price: number }) => ({ total: row.price }),
          ...spec,
        } as never) as never,
      );
    const variants = [
      {},
      { transform: (row: { price: number }) => ({ total: row.price * 2 }) },
      { sources: [spending] },
      { sources: [spending.withName('other'), cart] },
      { schema: { total: 'float64', more: 'int32' } },
    ];
    expect(new Set(variants.map(odfv)).size).toBe(variants.length);
  });

  it('of a service changes with views, features, order, aliases and join key maps', () => {
    const variants = [
      [spending],
      [spending.select('amount')],
      [spending.select('note', 'amount')],
      [spending.withName('alias')],
      [spending.withJoinKeyMap({ user: 'buyer' })],
      [spending, spending.withName('alias')],
      [spending.withName('alias'), spending],
    ];
    const prints = variants.map((features) => fingerprint(featureService({ name: 's', features })));
    expect(new Set(prints).size).toBe(variants.length);
    expect(
      fingerprint(featureService({ name: 's', features: [spending.select('amount', 'note')] })),
    ).toBe(prints[0]);
  });
});

describe('the fingerprint of what a view means', () => {
  it('changes with its source and its entities, whose names alone are in its record', () => {
    const view = viewFingerprint(spending as unknown as FeatureView);
    const other = viewOf({ source: typed('int32', { timestampField: 'made' }) });
    expect(fingerprint(other)).toBe(fingerprint(spending));
    expect(viewFingerprint(other)).not.toBe(view);
    expect(viewFingerprint(viewOf(METADATA))).toBe(view);
    expect(view).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe('the record of a definition', () => {
  it('is plain JSON, functions as their text', () => {
    const total = onDemandFeatureView({
      name: 'total',
      sources: [spending.select('amount'), cart],
      schema: { total: 'float64' },
      transform: (row) => ({ total: row.price }),
    });
    const service = featureService({
      name: 's',
      features: [total.select('total'), total, spending],
    });
    for (const definition of [user, orders, history, cart, spending, total, service]) {
      const record = definitionRecord(definition as Definition);
      expect(JSON.parse(JSON.stringify(record))).toEqual(record);
      expect(Object.keys(record).sort()).toEqual(
        ['kind', 'name', 'spec', 'description', 'tags', 'owner', 'fingerprint'].sort(),
      );
    }
    expect(definitionRecord(total as unknown as Definition).spec).toEqual({
      sources: [{ view: 'spending', alias: 'spending', features: ['amount'], joinKeyMap: {} }],
      requestSources: ['cart'],
      schema: { total: 'float64' },
      transform: 'row=>({total:row.price})',
    });
    expect(definitionRecord(service as unknown as Definition).spec).toEqual({
      features: [
        { view: 'total', features: ['total'] },
        { view: 'total', features: null },
        { view: 'spending', alias: 'spending', features: ['amount', 'note'], joinKeyMap: {} },
      ],
    });
  });
});

function typed(amount: 'int32' | 'int64', spec: object = {}) {
  const schema = { ...SCHEMA, amount, made: 'timestamp' };
  return topicSource({
    name: 'orders',
    topic: 'orders',
    schema,
    timestampField: 'at',
    ...spec,
  } as never);
}
