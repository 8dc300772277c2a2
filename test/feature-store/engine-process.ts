/** A process of its own with the engine of a shop: reads what is there, says so, and stays. */
import { openFeatureStore } from '../../src/index.ts';
import { SHOP } from './support.ts';

const [directory = ''] = process.argv.slice(2);
const store = await openFeatureStore({
  directory,
  definitions: SHOP,
  config: { project: 'shop' },
});
const engine = await store.startEngine();
await engine.caughtUp();
process.stdout.write('ready\n');
