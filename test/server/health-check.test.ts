import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/core/clock.ts';
import { FreshetError } from '../../src/errors.ts';
import type { SourceStatus } from '../../src/feature-store/index.ts';
import { HealthCheck } from '../../src/server/health-check.ts';

const RUNNING = { finished: new Promise<void>(() => {}) };

function at(applied: number, lagRecords: number): SourceStatus[] {
  const partition = {
    ...{ topic: 'orders', partition: 0, applied, sealed: 0, end: applied + lagRecords, lagRecords },
    ...{ streamTimeUs: null, rows: 0, rejected: 0, late: {}, idle: false, retryAtMs: null },
  };
  const segments = { files: 0, rows: 0, bytes: 0 };
  return [{ source: 'orders', topic: 'orders', partitions: [partition], segments, gaps: [] }];
}

/** Statuses after each step of ten seconds. */
function run(steps: readonly (readonly [applied: number, lag: number])[], engine = true): string[] {
  const clock = new ManualClock(0);
  const health = new HealthCheck(clock, engine ? RUNNING : null);
  return steps.map(([applied, lag]) => {
    const { status } = health.check(at(applied, lag));
    clock.advance(10_000);
    return status === 'healthy' ? '+' : '-';
  });
}

describe('a partition', () => {
  it('is unhealthy when its cursor stands for half a minute while its lag grows', () => {
    expect(
      run([
        [5, 1],
        [5, 2],
        [5, 3],
        [5, 4],
        [5, 5],
      ]).join(''),
    ).toBe('+++--');
  });

  it('is well again when the cursor moves, however far behind it is', () => {
    expect(
      run([
        [5, 1],
        [5, 2],
        [5, 3],
        [5, 4],
        [6, 900],
        [6, 901],
      ]).join(''),
    ).toBe('+++-++');
  });

  it('is well while nothing comes, and while its lag does not grow', () => {
    expect(
      run([
        [5, 0],
        [5, 0],
        [5, 0],
        [5, 0],
        [5, 0],
      ]).join(''),
    ).toBe('+++++');
    expect(
      run([
        [5, 1],
        [5, 1],
        [5, 1],
        [5, 1],
        [5, 1],
      ]).join(''),
    ).toBe('+++++');
  });

  it('stands still from when there is something to read, not from before', () => {
    expect(
      run([
        [5, 0],
        [5, 0],
        [5, 0],
        [5, 0],
        [5, 1],
        [5, 2],
        [5, 3],
      ]).join(''),
    ).toBe('++++++-');
  });

  it('is not kept up by an engine of another process', () => {
    expect(
      run(
        [
          [5, 1],
          [5, 2],
          [5, 3],
          [5, 4],
          [5, 5],
        ],
        false,
      ).join(''),
    ).toBe('+++++');
  });
});

describe('an engine that failed', () => {
  it('makes the server unhealthy and is named by its code', async () => {
    const finished = Promise.reject(new FreshetError('DISK_FULL', 'no space'));
    const health = new HealthCheck(new ManualClock(0), { finished });
    await finished.catch(() => {});
    expect(health.check([])).toEqual({
      status: 'unhealthy',
      reasons: ['the engine stopped: DISK_FULL'],
    });
  });
});
