/**
 * A process of its own that changes a registry: `<file> add <name> <times>` adds so many topics,
 * `<file> hold` takes the lock, says so and waits for its end, `<file> write` writes large states
 * until it is killed.
 */
import { RegistryFile } from '../../src/registry/index.ts';

const [path = '', what, name = '', times = '0'] = process.argv.slice(2);
const registry = new RegistryFile({
  path,
  project: 'shop',
  clock: { nowMs: () => 0 },
  lockWaitMs: 60_000,
});

if (what === 'add') {
  for (let i = 0; i < Number(times); i++) {
    await registry.update((state) => ({ ...state, topics: [...state.topics, `${name}-${i}`] }));
  }
} else if (what === 'hold') {
  await registry.update((state) => {
    process.stdout.write('held\n');
    return new Promise(() => setInterval(() => state, 1_000));
  });
} else {
  for (let i = 0; ; i++) {
    const topics = Array.from({ length: 20_000 }, (_, t) => `topic-${i}-${t}`);
    await registry.update((state) => ({ ...state, topics }));
    process.stdout.write(`${i}\n`);
  }
}
