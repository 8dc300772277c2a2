import { describe, expect, it } from 'vitest';
import { entityColumnReader } from '../../src/serving/entity-columns.ts';
import { planFeatures } from '../../src/transform/index.ts';
import { catalog } from '../transform/fixtures.ts';

const read = entityColumnReader(planFeatures(catalog, { features: ['trip_stats:temperature'] }));

describe('entityColumnReader', () => {
  it('gives join keys as they are stored, and everything as it was sent', () => {
    const columns = read([
      { customer_id: 7, location_id: '12', extra: 'x' },
      { customer_id: null, location_id: undefined, extra: 'y' },
    ]);
    expect(columns.count).toBe(2);
    expect(columns.keys.get('customer_id')).toEqual(['7', null]);
    expect(columns.keys.get('location_id')).toEqual([12n, null]);
    expect(columns.sent('extra')).toEqual(['x', 'y']);
    expect(columns.sent('other')).toBeUndefined();
  });

  it('takes keys in any order', () => {
    const rows = [
      { customer_id: 'a', location_id: 1 },
      { location_id: 2, customer_id: 'b' },
    ];
    expect(read(rows).keys.get('location_id')).toEqual([1n, 2n]);
  });

  it('says where rows differ', () => {
    expect(() => read([{ location_id: 1, customer_id: 'a' }, { location_id: 1 }])).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message:
          'All entity_rows must have the same keys. Row 0 has location_id, customer_id; row 1 has location_id',
        where: { row: 1, column: 'customer_id' },
      }),
    );
  });

  it('does not take a column that is needed elsewhere for a mistyped one', () => {
    expect(() => read([{ location_id: 1, customer: 'a' }])).toThrow(/is "customer" meant\?$/);
    expect(() => read([{ location_id: 1 }])).toThrow(/of view "trip_stats"$/);
  });
});
