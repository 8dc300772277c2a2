/** A worker in a process of its own: the shop's engine, which says each of its steps, until SIGTERM. */
import { type ConfigOverrides, openFeatureStore } from '../../../src/index.ts';
import { channels } from '../../../src/telemetry/index.ts';
import { makeDefinitions } from './shop-definitions.ts';

export interface WorkerOptions {
  readonly directory: string;
  readonly topic: string;
  readonly config: ConfigOverrides;
}

const { directory, topic, config } = JSON.parse(process.argv[2] ?? '') as WorkerOptions;
const tell = (step: string): void => void process.stdout.write(`${step}\n`);
tell('begun');
channels.assigned.subscribe((event) => {
  tell(`assigned ${(event as { partition: number }).partition}`);
});
channels.revoked.subscribe((event) => {
  tell(`revoked ${(event as { partition: number }).partition}`);
});
channels.batch.subscribe(() => tell('batch'));
channels.segment.subscribe(() => tell('segment'));
const { all } = makeDefinitions(topic);
await using store = await openFeatureStore({ directory, definitions: all, config });
const engine = await store.startEngine();
await Promise.race([engine.finished, new Promise((resolve) => process.once('SIGTERM', resolve))]);
