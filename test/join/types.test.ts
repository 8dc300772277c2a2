import { describe, expectTypeOf, it } from 'vitest';
import { entity, featureView, parquetSource } from '../../src/definition/index.ts';
import type { HistoricalReader } from '../../src/join/index.ts';

const driver = entity({ name: 'driver', joinKeys: { driver_id: 'int64' } });
const stats = featureView({
  name: 'stats',
  entities: [driver],
  source: parquetSource({
    name: 's',
    path: 's',
    schema: { driver_id: 'int64', ts: 'timestamp', rate: 'float64', trips: 'int64' },
    timestampField: 'ts',
  }),
  schema: { rate: 'float64', trips: 'int64' },
});
declare const reader: HistoricalReader;
const at = new Date(0);

describe('a historical request', () => {
  it('types its answer by its definitions', () => {
    const compiles = async (): Promise<void> => {
      const features = await reader.getHistoricalFeatures({
        features: [stats],
        entityRows: [{ driver_id: 1, event_timestamp: at, label: 'x' }],
      });
      const row = (await features.toArray())[0]!;
      expectTypeOf(row.rate).toEqualTypeOf<number | null>();
      expectTypeOf(row.trips).toEqualTypeOf<bigint | null>();
      row.label;
      // @ts-expect-error a misspelt feature
      row.rat;

      const full = await reader.getHistoricalFeatures({
        features: [stats.select('rate')],
        fullFeatureNames: true,
        entityRows: { parquet: 'labels.parquet' },
      });
      const fullRow = (await full.toArray())[0]!;
      expectTypeOf(fullRow.stats__rate).toEqualTypeOf<number | null>();
      // @ts-expect-error the short name
      fullRow.rate;

      const named = await reader.getHistoricalFeatures({
        features: ['stats:rate'],
        entityRows: [{ driver_id: 1, event_timestamp: at }],
      });
      (await named.toArray())[0]?.['anything'];
    };
    expectTypeOf(compiles).toBeFunction();
  });

  it('requires the join keys of its views', () => {
    const refused = (): unknown =>
      // @ts-expect-error a misspelt join key
      reader.getHistoricalFeatures({
        features: [stats],
        entityRows: [{ driver: 1, event_timestamp: at }],
      });
    expectTypeOf(refused).toBeFunction();
  });
});
