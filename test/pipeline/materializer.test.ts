import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Duckdb } from '../../src/duckdb/index.ts';
import { type ErrorCode, FreshetError } from '../../src/errors.ts';
import type { TopicPartition } from '../../src/log/index.ts';
import type { Materializer, PartitionTask } from '../../src/pipeline/index.ts';
import { Bench, NOW_MS, openTestDuckdb, rowsOf, SOURCE } from './bench.ts';
import { events } from './events.ts';
import { over, tasksAround, withReader } from './tampering.ts';

const TP = { topic: SOURCE.topic, partition: 0 };
const OTHER = { topic: SOURCE.topic, partition: 1 };

let duckdb: Duckdb;
let bench: Bench;
beforeAll(async () => {
  duckdb = await openTestDuckdb();
});
afterAll(() => duckdb.close());
afterEach(() => bench[Symbol.asyncDispose]());

const failure = (code: ErrorCode): FreshetError => new FreshetError(code, `made ${code}`);

describe('an engine', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb, 2);
  });

  it('keeps up with records as they come', async () => {
    const engine = await bench.engine(await bench.start());
    for (const count of [3, 4]) {
      await bench.append(rowsOf(count));
      await engine.caughtUp();
    }
    expect(engine.status()).toEqual([
      {
        ...TP,
        ...{ applied: 7, sealed: 0, end: 7, lagRecords: 0, streamTimeUs: (NOW_MS - 998) * 1_000 },
        ...{ rows: 7, rejected: 0, late: expect.anything(), idle: false, retryAtMs: null },
      },
      expect.objectContaining({ ...OTHER, applied: 0, streamTimeUs: null }),
    ]);
    await engine.stop();
  });

  it('publishes what is buffered when it stops, and tells the group', async () => {
    await bench.append(rowsOf(7));
    const engine = await bench.engine(await bench.start());
    await engine.caughtUp();
    await engine.stop();
    await engine.stop();
    await engine.finished;
    const { entries, history } = await bench.outcome();
    expect(entries).toMatchObject([{ startOffset: 0, endOffset: 7 }]);
    expect(history).toHaveLength(7);
    expect(await bench.log.committedOffsets('engine', [TP, OTHER])).toEqual([7, null]);
    expect(engine.status()[0]).toMatchObject({ applied: 7, sealed: 7 });
  });

  it('cuts by age while no records come, and says how many rows', async () => {
    bench.cutPolicy = { ...bench.cutPolicy, ageMsMax: 1_000 };
    using segments = events('segment');
    await bench.append([...rowsOf(4), null]);
    const engine = await bench.engine(await bench.start());
    await engine.caughtUp();
    bench.clock.advance(1_000);
    expect(await segments.first(() => true)).toEqual({
      ...TP,
      startOffset: 0,
      endOffset: 5,
      rows: 4,
    });
    await engine.stop();
  });

  it('asks for more only when the last batches are committed, and for so much at most', async () => {
    const running = await bench.start();
    let inside = 0;
    const { openTask } = tasksAround(bench, running, async (_, work) => {
      inside++;
      const published = await work();
      inside--;
      return published;
    });
    const asked: unknown[] = [];
    const log = withReader(running.log, (reader) => ({
      poll: async (options) => {
        expect(inside).toBe(0);
        asked.push([options?.maxRecords, options?.maxBytes]);
        return reader.poll(options);
      },
    }));
    await bench.append(rowsOf(20));
    await bench.append(rowsOf(20), 1);
    using batches = events('batch');
    const limits = { batchRecordsMax: 5, batchBytesMax: 1_000 };
    const engine = await bench.engine(running, { log, openTask, ...limits });
    await engine.caughtUp();
    await engine.stop();
    expect(new Set(asked.map(String))).toEqual(new Set(['5,1000']));
    expect(batches.all.map(({ records }) => records)).toEqual(Array(8).fill(5));
  });

  it('says when a partition is idle, and when it no longer is', async () => {
    using idle = events('idle');
    const idleMs = new Map([[SOURCE.topic, 60_000]]);
    await bench.append(rowsOf(1));
    const engine = await bench.engine(await bench.start(), { idleMs });
    await engine.caughtUp();
    bench.clock.advance(60_001);
    await idle.first((event) => event.idle && event.partition === 0);
    expect(engine.status().map((partition) => partition.idle)).toEqual([true, true]);
    await bench.append(rowsOf(1));
    await idle.first((event) => !event.idle);
    expect(engine.status().map((partition) => partition.idle)).toEqual([false, true]);
    await engine.stop();
  });
});

describe('work beside the stream', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb, 2);
  });

  it('does not hold the stream, and is waited for', async () => {
    let end: () => void = () => {};
    const pending = new Promise<void>((resolve) => {
      end = resolve;
    });
    const engine = await bench.engine(await bench.start(), { beside: () => pending });
    await bench.append(rowsOf(5));
    let caughtUp = false;
    const waiting = engine.caughtUp().then(() => {
      caughtUp = true;
    });
    while (engine.status()[0]?.applied !== 5) await new Promise(setImmediate);
    expect(caughtUp).toBe(false);
    end();
    await waiting;
    await engine.stop();
  });

  it('has the partitions of a topic published before it holds them, and opened anew behind it', async () => {
    const running = await bench.start();
    const seen: unknown[] = [];
    let opened = 0;
    const engine = await bench.engine(running, {
      openTask: (tp) => {
        opened++;
        return bench.task(running, tp);
      },
      beside: async (own) => {
        while (own.status()[0]?.applied !== 5) await new Promise(setImmediate);
        await own.exchange(SOURCE.topic, async () => {
          seen.push(own.status()[0]?.sealed, opened);
        });
        seen.push(opened);
      },
    });
    await bench.append(rowsOf(5));
    await engine.caughtUp();
    expect(seen).toEqual([5, 2, 4]);
    await bench.append(rowsOf(3));
    await engine.caughtUp();
    await engine.stop();
    expect((await bench.outcome()).history).toHaveLength(8);
  });

  it('stops the engine when it fails', async () => {
    const engine = await bench.engine(await bench.start(), {
      beside: (own) =>
        own.exchange(SOURCE.topic, () => Promise.reject(failure('VIEW_STATE_OUTDATED'))),
    });
    await expect(engine.finished).rejects.toMatchObject({ code: 'VIEW_STATE_OUTDATED' });
    await expect(engine.caughtUp()).rejects.toMatchObject({ code: 'VIEW_STATE_OUTDATED' });
  });

  it('is aborted by a stop; an exchange then has no turn', async () => {
    let ended: unknown;
    const engine = await bench.engine(await bench.start(), {
      beside: async (own, signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        ended = await own.exchange(SOURCE.topic, async () => {}).catch((reason) => reason);
      },
    });
    await engine.stop();
    expect(ended).toMatchObject({ name: 'AbortError' });
  });
});

describe('a failure that can be mended', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb, 2);
  });

  it('suspends its partition alone, for a pause that doubles', async () => {
    const running = await bench.start();
    let failures = 3;
    const { opened, openTask } = tasksAround(bench, running, async (tp, work) => {
      if (tp.partition === 0 && failures-- > 0) throw failure('DISK_FULL');
      return work();
    });
    await bench.append(rowsOf(5));
    await bench.append(rowsOf(6), 1);
    using retries = events('retry');
    using batches = events('batch');
    const engine = await bench.engine(running, { openTask });
    for (const waitMs of [100, 200, 400]) {
      const retry = await retries.first((event) => event.waitMs === waitMs);
      expect(retry).toMatchObject({ ...TP, code: 'DISK_FULL', reason: 'made DISK_FULL' });
      expect(engine.status()[0]).toMatchObject({ retryAtMs: bench.clock.nowMs() + waitMs });
      await batches.first((event) => event.partition === 1);
      bench.clock.advance(waitMs);
    }
    await engine.caughtUp();
    expect(engine.status()[0]).toMatchObject({ applied: 5, retryAtMs: null });
    expect(opened.map(({ partition }) => partition)).toEqual([0, 1, 0, 0, 0]);
    await engine.stop();
    expect((await bench.outcome()).history).toHaveLength(11);
  });

  it('waits no longer than 30 seconds', async () => {
    const running = await bench.start();
    const { openTask } = tasksAround(bench, running, async () => {
      throw failure('DISK_FULL');
    });
    await bench.append(rowsOf(1));
    using retries = events('retry');
    const engine = await bench.engine(running, { openTask });
    for (let n = 1; n <= 12; n++) {
      while (retries.all.length < n) await retries.first((event) => event === retries.all[n - 1]);
      bench.clock.advance(retries.all[n - 1]!.waitMs);
    }
    expect(retries.all[9]!.waitMs).toBe(30_000);
    await engine.stop();
  });

  it('does not keep a suspended engine from stopping, nor make it publish what it lacks', async () => {
    const running = await bench.start();
    const { openTask } = tasksAround(bench, running, async (_, work) => {
      await work();
      throw failure('DISK_FAILED');
    });
    await bench.append(rowsOf(5));
    using retries = events('retry');
    const engine = await bench.engine(running, { openTask });
    await retries.first(() => true);
    await engine.stop();
    const { positions, entries } = await bench.outcome();
    expect(positions[0]).toMatchObject({ applied: 5, sealed: 0 });
    expect(entries).toEqual([]);
  });

  it('of a poll is tried again', async () => {
    const running = await bench.start();
    let failures = 1;
    const log = withReader(running.log, (reader) => ({
      poll: async (options) => {
        if (failures-- > 0) throw failure('LOG_UNAVAILABLE');
        return reader.poll(options);
      },
    }));
    await bench.append(rowsOf(2));
    using retries = events('retry');
    const engine = await bench.engine(running, { log });
    await engine.caughtUp();
    await engine.stop();
    expect(retries.all).toEqual([
      {
        topic: null,
        partition: null,
        code: 'LOG_UNAVAILABLE',
        reason: expect.any(String),
        waitMs: 100,
      },
    ]);
  });

  it.each(['LOG_UNAVAILABLE', 'LOG_FENCED'] as const)(
    'as %s of the advisory commit is told, and changes nothing',
    async (code) => {
      const running = await bench.start();
      const log = over(running.log, {
        commitOffsets: async () => {
          throw failure(code);
        },
      });
      await bench.append(rowsOf(2));
      using retries = events('retry');
      const engine = await bench.engine(running, { log });
      await engine.caughtUp();
      await engine.stop();
      expect(retries.all).toMatchObject([{ ...TP, code, waitMs: 0 }]);
      expect((await bench.outcome()).history).toHaveLength(2);
    },
  );
});

describe('any other failure', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb, 2);
  });

  it('stops the engine with the error, once the other partitions are done', async () => {
    const running = await bench.start();
    const { openTask } = tasksAround(bench, running, async ({ partition }, work) => {
      if (partition === 0) throw failure('STORE_CORRUPT');
      return work();
    });
    await bench.append(rowsOf(5));
    await bench.append(rowsOf(6), 1);
    const engine = await bench.engine(running, { openTask });
    const error = { code: 'STORE_CORRUPT' };
    await expect(engine.caughtUp()).rejects.toMatchObject(error);
    await expect(engine.finished).rejects.toMatchObject(error);
    await expect(engine.stop()).rejects.toMatchObject(error);
    const { positions, entries } = await bench.outcome();
    expect(positions[1]).toMatchObject({ applied: 6, sealed: 0 });
    expect(entries).toEqual([]);
  });

  it('of a poll is not taken for one of the log', async () => {
    const running = await bench.start();
    const log = withReader(running.log, () => ({
      poll: async () => {
        throw new TypeError('a mistake');
      },
    }));
    const engine = await bench.engine(running, { log });
    await expect(engine.finished).rejects.toThrow('a mistake');
  });

  it('of the first opening is the failure of the start', async () => {
    const running = await bench.start();
    const openTask = async (): Promise<PartitionTask> => {
      throw failure('SCHEMA_REGISTRY_UNAVAILABLE');
    };
    await expect(bench.engine(running, { openTask })).rejects.toMatchObject({
      code: 'SCHEMA_REGISTRY_UNAVAILABLE',
    });
    const engine = await bench.engine(running);
    expect(engine.status()).toHaveLength(2);
    await engine.stop();
  });
});

describe('the engines of one group', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb, 4);
  });

  const owned = (engine: Materializer): number[] =>
    engine
      .status()
      .map(({ partition }) => partition)
      .sort();

  async function appendEverywhere(count: number): Promise<void> {
    for (let partition = 0; partition < 4; partition++)
      await bench.append(rowsOf(count), partition);
  }

  it('share the partitions, and hand them over with nothing lost or doubled', async () => {
    const running = await bench.start();
    await appendEverywhere(5);
    const first = await bench.engine(running);
    await first.caughtUp();
    expect(owned(first)).toEqual([0, 1, 2, 3]);

    using assigned = events('assigned');
    const second = await bench.engine(running);
    await assigned.first(() => assigned.all.length === 2);
    expect([...owned(first), ...owned(second)].sort()).toEqual([0, 1, 2, 3]);
    expect(owned(second)).toHaveLength(2);
    // Handed over with everything published.
    expect(assigned.all.map(({ nextOffset }) => nextOffset)).toEqual([5, 5]);
    await appendEverywhere(4);
    await Promise.all([first.caughtUp(), second.caughtUp()]);

    await first.stop();
    await assigned.first(() => assigned.all.length === 4);
    await appendEverywhere(3);
    await second.caughtUp();
    await second.stop();
    const { history, positions, entries } = await bench.outcome();
    const expected = [0, 1, 2, 3].flatMap((p) => Array.from({ length: 12 }, (_, o) => [p, o]));
    expect(history.map((row) => [row['_partition'], Number(row['_offset'])])).toEqual(expected);
    for (const at of Object.values(positions))
      expect(at).toMatchObject({ applied: 12, sealed: 12 });
    expect(entries).toHaveLength(8); // two of each: before and after it changed hands
  });

  it('give a partition up although it cannot be published: the next owner reads it again', async () => {
    const running = await bench.start();
    await appendEverywhere(5);
    const openTask = async (tp: TopicPartition): Promise<PartitionTask> => {
      const task = await bench.task(running, tp);
      task.seal = async () => {
        await task.discard();
        throw failure('DISK_FULL');
      };
      return task;
    };
    using retries = events('retry');
    using assigned = events('assigned');
    const first = await bench.engine(running, { openTask });
    await first.caughtUp();
    const second = await bench.engine(running);
    await assigned.first(() => assigned.all.length === 6);
    expect(assigned.all.slice(4).map(({ nextOffset }) => nextOffset)).toEqual([0, 0]);
    expect(retries.all).toMatchObject([{ code: 'DISK_FULL', waitMs: 0 }, { waitMs: 0 }]);
    const taken = owned(second);
    await second.caughtUp();
    await second.stop();
    await expect(first.stop()).rejects.toMatchObject({ code: 'DISK_FULL' });
    const { entries } = await bench.outcome();
    expect(entries.map(({ partition, rowCount }) => [partition, rowCount])).toEqual(
      taken.map((partition) => [partition, 5]),
    );
  });

  it('write nothing for a partition that was lost', async () => {
    const running = await bench.start();
    await appendEverywhere(5);
    let lose = async (): Promise<void> => {};
    const log = withReader(running.log, (_, membership) => {
      lose = async () => membership.onLost?.([TP]);
      return {};
    });
    const engine = await bench.engine(running, { log });
    await engine.caughtUp();
    using revoked = events('revoked');
    await lose();
    expect(revoked.all).toEqual([{ ...TP, nextOffset: 5 }]);
    expect(owned(engine)).toEqual([1, 2, 3]);
    await engine.stop();
    const { entries } = await bench.outcome();
    expect(entries.map(({ partition }) => partition)).toEqual([1, 2, 3]);
  });
});
