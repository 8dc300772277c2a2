/** What the tests of the registry share: definitions, ports that write down what is asked of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import {
  buildCatalog,
  type Catalog,
  type Definition,
  entity,
  featureService,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
  topicSource,
} from '../../src/definition/index.ts';
import type { ApplyPorts } from '../../src/registry/index.ts';
import { RegistryFile } from '../../src/registry/index.ts';

export const SCHEMA = { at: 'timestamp', user: 'string', amount: 'int32' } as const;
export const NOW_MS = 1_750_000_000_000;

export interface Folder {
  readonly path: string;
  readonly file: string;
  registry(lockWaitMs?: number): RegistryFile;
}

/** A folder for each test, and registries in it. */
export function useFolder(): () => Folder {
  const folders: string[] = [];
  afterEach(() => {
    for (const path of folders.splice(0)) rmSync(path, { recursive: true });
  });
  return () => {
    const path = mkdtempSync(join(tmpdir(), 'freshet-registry-'));
    folders.push(path);
    const file = join(path, '.freshet', 'registry.json');
    const clock = new ManualClock(NOW_MS);
    return {
      path,
      file,
      registry: (lockWaitMs) =>
        new RegistryFile({
          path: file,
          project: 'shop',
          clock,
          ...(lockWaitMs !== undefined && { lockWaitMs }),
        }),
    };
  };
}

export const user = entity({ name: 'user', joinKeys: { user: 'string' } });
export const cart = requestSource({ name: 'cart', schema: { price: 'float64' } });

export function ordersOf(spec: object = {}) {
  return topicSource({
    name: 'orders',
    topic: 'orders',
    schema: SCHEMA,
    timestampField: 'at',
    ...spec,
  });
}

export function historyOf(spec: object = {}) {
  return parquetSource({
    name: 'history',
    path: 'history',
    schema: SCHEMA,
    timestampField: 'at',
    ...spec,
  });
}

export const orders = ordersOf();
export const history = historyOf();

export function spendingOf(spec: object = {}) {
  return featureView({
    name: 'spending',
    entities: [user],
    source: orders,
    schema: { amount: 'int32' },
    ...spec,
  });
}

/** One definition of each kind. */
export function shop(): Definition[] {
  const spending = spendingOf({ batchSource: history });
  const total = onDemandFeatureView({
    name: 'total',
    sources: [spending, cart],
    schema: { total: 'float64' },
    transform: (row) => ({ total: (row.amount ?? 0) * row.price }),
  });
  const model = featureService({ name: 'model', features: [spending, total] });
  return [model, total, spending] as unknown as Definition[];
}

export function catalogOf(...definitions: object[]): Catalog {
  return buildCatalog(definitions as Definition[]);
}

/** Ports over topics and subjects in memory; `calls` has what was asked for, in order. */
export class RecordingPorts implements ApplyPorts {
  readonly calls: string[] = [];
  readonly topics = new Set<string>();
  readonly subjects = new Map<string, string>();
  readonly incompatible = new Map<string, readonly string[]>();
  /** The call that fails, once. */
  failAt: string | null = null;

  async createTopic({ topic, partitions }: { topic: string; partitions: number }) {
    this.#call(`createTopic ${topic} ${partitions}`);
    const created = !this.topics.has(topic);
    this.topics.add(topic);
    return { created };
  }

  async deleteTopic(topic: string): Promise<void> {
    this.#call(`deleteTopic ${topic}`);
    this.topics.delete(topic);
  }

  async schemaIncompatibilities(subject: string, _schema: string): Promise<string[]> {
    this.#call(`check ${subject}`);
    return [...(this.incompatible.get(subject) ?? [])];
  }

  async registerSchema(subject: string, schema: string): Promise<void> {
    this.#call(`register ${subject}`);
    this.subjects.set(subject, schema);
  }

  async deleteSubject(subject: string): Promise<void> {
    this.#call(`deleteSubject ${subject}`);
    this.subjects.delete(subject);
  }

  async deleteViews(names: readonly string[]): Promise<void> {
    this.#call(`deleteViews ${names.join(' ')}`);
  }

  async deleteAll(): Promise<void> {
    this.#call('deleteAll');
  }

  /** What was asked for since the last question. */
  take(): string[] {
    return this.calls.splice(0);
  }

  #call(call: string): void {
    if (this.failAt === call) {
      this.failAt = null;
      throw new Error(`${call} fails`);
    }
    this.calls.push(call);
  }
}
