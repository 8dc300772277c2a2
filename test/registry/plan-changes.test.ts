import { describe, expect, it } from 'vitest';
import { type Definition, definitionRecord, entity } from '../../src/definition/index.ts';
import { type Change, diffProperties, planChanges, recordsOf } from '../../src/registry/index.ts';
import { catalogOf, ordersOf, SCHEMA, shop, spendingOf } from './support.ts';

const record = (definition: object) => definitionRecord(definition as Definition);
const sketch = ({ transition, kind, name }: Change): string => `${transition} ${kind} ${name}`;

describe('a plan', () => {
  it('creates everything where nothing is, what is used before what uses it', () => {
    const changes = planChanges([], recordsOf(catalogOf(...shop())));
    expect(changes.map(sketch)).toEqual([
      'CREATE entity user',
      'CREATE topicSource orders',
      'CREATE parquetSource history',
      'CREATE requestSource cart',
      'CREATE featureView spending',
      'CREATE onDemandFeatureView total',
      'CREATE featureService model',
    ]);
    expect(changes.every((c) => c.properties.length + c.incompatible.length === 0)).toBe(true);
  });

  it('changes nothing where everything is, whatever its order', () => {
    const records = recordsOf(catalogOf(...shop()));
    for (const desired of [records, [...records].reverse()]) {
      const transitions = planChanges(records, desired).map(({ transition }) => transition);
      expect(transitions).toEqual(records.map(() => 'UNCHANGED'));
    }
  });

  it('keeps, updates, creates and deletes by kind and name', () => {
    const before = ['kept', 'changed', 'gone'].map((name) => spendingOf({ name }));
    const after = [
      spendingOf({ name: 'kept' }),
      spendingOf({ name: 'changed', tags: { when: 'after' } }),
      spendingOf({ name: 'added' }),
    ];
    const changes = planChanges(before.map(record), after.map(record));
    expect(changes.map(sketch)).toEqual([
      'UNCHANGED featureView kept',
      'UPDATE featureView changed',
      'CREATE featureView added',
      'DELETE featureView gone',
    ]);
  });

  it('takes two kinds of one name for two definitions', () => {
    const view = spendingOf({ name: 'orders' });
    expect(planChanges([record(ordersOf())], [record(view)]).map(sketch)).toEqual([
      'DELETE topicSource orders',
      'CREATE featureView orders',
    ]);
  });

  it('says of an update what differs and what it breaks', () => {
    const source = ordersOf({ partitions: 8, description: 'more' });
    const [change] = planChanges([record(ordersOf())], [record(source)]);
    expect(change).toMatchObject({
      properties: [
        { property: 'partitions', existing: 4, declared: 8 },
        { property: 'description', existing: '', declared: 'more' },
      ],
      incompatible: [expect.stringContaining('partitions was 4 and is 8')],
    });
  });
});

describe('the difference of two definitions', () => {
  it('is empty for equal ones, in whatever order their fields are', () => {
    const reversed = Object.fromEntries(Object.entries(SCHEMA).reverse());
    expect(diffProperties(record(ordersOf()), record(ordersOf({ schema: reversed })))).toEqual([]);
  });

  it('names the fields of a schema one by one', () => {
    const schema = { at: 'timestamp', amount: 'int64', note: 'string' };
    const after = ordersOf({ schema });
    expect(diffProperties(record(ordersOf()), record(after))).toEqual([
      { property: 'schema.user', existing: 'string', declared: undefined },
      { property: 'schema.amount', existing: 'int32', declared: 'int64' },
      { property: 'schema.note', existing: undefined, declared: 'string' },
    ]);
  });

  it('shows tags as a whole, and the name where it changes', () => {
    const before = spendingOf({ tags: { a: '1', b: '2' } });
    const after = spendingOf({ name: 'costs', tags: { a: '1' } });
    expect(diffProperties(record(before), record(after))).toEqual([
      { property: 'name', existing: 'spending', declared: 'costs' },
      { property: 'tags', existing: { a: '1', b: '2' }, declared: { a: '1' } },
    ]);
  });

  it('has the owner and the TTL', () => {
    const after = spendingOf({ owner: 'me', ttl: '1h' });
    expect(diffProperties(record(spendingOf()), record(after))).toEqual([
      { property: 'ttlUs', existing: null, declared: 3_600_000_000 },
      { property: 'owner', existing: '', declared: 'me' },
    ]);
  });

  it('tells a member that is null from one that is not there', () => {
    const one = record(entity({ name: 'user', joinKeys: { user: 'string' } }));
    const other = { ...one, spec: { ...one.spec, more: null } };
    expect(diffProperties(one, other)).toEqual([
      { property: 'more', existing: undefined, declared: null },
    ]);
  });
});
