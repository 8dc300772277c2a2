import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { SourceStatus } from '../feature-store/index.ts';
import type { HealthCheck } from './health-check.ts';
import type { Metrics, Standing } from './metrics.ts';
import { defineRoute, type Route } from './route.ts';
import type { ServerPorts } from './server-ports.ts';

/** For what watches a server: whether it is well, and its figures. */
export function watchRoutes(ports: ServerPorts, health: HealthCheck, metrics: Metrics): Route[] {
  const { store, access } = ports;
  return [
    overview(ports, health, metrics),
    defineRoute(
      {
        method: 'GET',
        path: '/health',
        scope: 'none',
        summary: 'Whether the engine keeps up and the store can be read; 503 when not',
        tag: 'Operation',
        response: z.object({
          status: z.enum(['healthy', 'unhealthy']),
          reasons: z.array(z.string()).describe('Only for those who may read.'),
        }),
      },
      async ({ raw, reply }) => {
        const { status, reasons } = health.check(await store.status());
        reply.code(status === 'healthy' ? 200 : 503);
        return { status, reasons: access.may(raw.headers, 'read') ? reasons : [] };
      },
    ),
    defineRoute(
      {
        method: 'GET',
        path: '/metrics',
        scope: 'read',
        summary: 'Figures for Prometheus',
        tag: 'Operation',
        produces: metrics.contentType,
        response: z.string(),
      },
      async () => metrics.text(await standingOf(store, health)),
    ),
  ];
}

const sourceTotals = z.object({
  source: z.string(),
  topic: z.string(),
  partitions: z.int(),
  rows: z.int().describe('Applied to the online store; it outlives the process.'),
  rejected: z.int().describe('Records that became dead letters.'),
  late: z.int().describe('Rows behind the grace of a view, once a view.'),
  lagRecords: z.int(),
  unsealedRecords: z.int().describe('Applied and not in a segment yet.'),
  streamTimeUs: z.int().nullable().describe('The greatest of its partitions.'),
  idle: z.int().describe('Partitions that are declared idle.'),
  suspended: z.int().describe('Partitions that wait after a failure.'),
  gapRecords: z.int().describe('Records that were removed before they were read.'),
  segments: z.object({ files: z.int(), rows: z.int(), bytes: z.int() }),
});

function overview({ store, clock }: ServerPorts, health: HealthCheck, metrics: Metrics): Route {
  return defineRoute(
    {
      method: 'GET',
      path: '/v1/overview',
      scope: 'read',
      summary: 'The whole in figures: sources, stores, reads, health; small enough for each second',
      tag: 'Operation',
      response: z.object({
        nowMs: z.int(),
        health: z.object({ status: z.string(), reasons: z.array(z.string()) }),
        engine: z.enum(['none', 'running', 'stopped']).describe('Of this process.'),
        sources: z.array(sourceTotals),
        onlineStoreBytes: z.int(),
        reads: z
          .object({ reads: z.int(), entityRows: z.int(), durationMs: z.number() })
          .describe('Online reads since the server started.'),
      }),
    },
    async () => {
      const sources = await store.status();
      return {
        nowMs: clock.nowMs(),
        health: health.check(sources),
        engine: health.engine,
        sources: sources.map(totalsOf),
        onlineStoreBytes: await bytesIn(store.config.onlineStore.path),
        reads: metrics.readTotals,
      };
    },
  );
}

function totalsOf(status: SourceStatus): z.output<typeof sourceTotals> {
  const { source, topic, partitions, segments, gaps } = status;
  const sum = (of: (partition: (typeof partitions)[number]) => number): number =>
    partitions.reduce((total, partition) => total + of(partition), 0);
  const times = partitions.flatMap(({ streamTimeUs }) => streamTimeUs ?? []);
  return {
    source,
    topic,
    partitions: partitions.length,
    rows: sum(({ rows }) => rows),
    rejected: sum(({ rejected }) => rejected),
    late: sum(({ late }) => Object.values(late).reduce((a, b) => a + b, 0)),
    lagRecords: sum(({ lagRecords }) => lagRecords),
    unsealedRecords: sum(({ applied, sealed }) => Math.max(0, applied - sealed)),
    streamTimeUs: times.length === 0 ? null : Math.max(...times),
    idle: sum(({ idle }) => Number(idle)),
    suspended: sum(({ retryAtMs }) => Number(retryAtMs !== null)),
    gapRecords: gaps.reduce((total, { fromOffset, toOffset }) => total + toOffset - fromOffset, 0),
    segments,
  };
}

/** Null where the log or the store cannot be read: then that is what the metrics say. */
async function standingOf(
  store: ServerPorts['store'],
  health: HealthCheck,
): Promise<Standing | null> {
  let sources: SourceStatus[];
  try {
    sources = await store.status();
  } catch {
    return null;
  }
  const isHealthy = health.check(sources).status === 'healthy';
  return { sources, isHealthy, onlineStoreBytes: await bytesIn(store.config.onlineStore.path) };
}

/** Of the files of a folder; 0 for one that is not there, or in memory. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    // RocksDB may remove a file between the two calls.
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
