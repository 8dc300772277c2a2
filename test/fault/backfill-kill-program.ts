/**
 * What `backfill-kill.test.ts` kills: two backfills of foreign files into history and both kinds of
 * views. It prints a line for each step, so that a step can be chosen to be killed at.
 */
import {
  entity,
  featureView,
  lifetime,
  openFeatureStore,
  parquetSource,
  sliding,
  windowedFeatureView,
} from '../../src/index.ts';

const history = parquetSource({
  name: 'history',
  path: 'history',
  schema: { seen_at: 'timestamp', id: 'int64', key: 'int32', value: 'float64' },
  timestampField: 'seen_at',
});
const thing = entity({ name: 'thing', joinKeys: { key: 'int32' } });
const newest = featureView({
  name: 'newest',
  entities: [thing],
  source: history,
  schema: { id: 'int64', value: 'float64' },
});
/** A row that is loaded twice counts twice here. */
const totals = windowedFeatureView({
  name: 'totals',
  entities: [thing],
  source: history,
  aggregations: [
    { function: 'count', window: lifetime(), name: 'row_count' },
    { column: 'id', function: 'sum', window: lifetime(), name: 'id_sum' },
    { column: 'value', function: 'mean', window: sliding('1d'), name: 'value_mean' },
  ],
});
export const VIEWS = [newest, totals];
export const CONFIG = { project: 'killed' };
/** Folders of foreign files, one backfill each. */
export const EXPORTS = ['first', 'second'];

if (process.argv[2] !== undefined) await main(process.argv[2]);

async function main(directory: string): Promise<void> {
  tell('ready');
  await using store = await openFeatureStore({ directory, definitions: VIEWS, config: CONFIG });
  await store.apply();
  for (const folder of EXPORTS) {
    await store.backfill({
      source: 'history',
      files: [folder],
      columns: { seen_at: 'ts' },
      onImport: () => tell('part'),
      onMaterialize: () => tell('slice'),
    });
  }
}

function tell(step: string): void {
  process.stdout.write(`${step}\n`);
}
