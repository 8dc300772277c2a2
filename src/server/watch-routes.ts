import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { SourceStatus } from '../feature-store/index.ts';
import type { HealthCheck } from './health-check.ts';
import type { Metrics, Standing } from './metrics.ts';
import { defineRoute, type Route } from './route.ts';
import type { ServerPorts } from './server-ports.ts';

/** For what watches a server: whether it is well, and its figures. */
export function watchRoutes(
  { store, access }: ServerPorts,
  health: HealthCheck,
  metrics: Metrics,
): Route[] {
  return [
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
