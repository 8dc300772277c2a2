import type { Channel } from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Duckdb } from '../../src/duckdb/index.ts';
import { type ErrorCode, FreshetError } from '../../src/errors.ts';
import type { GroupMembership, Log, LogReader, TopicPartition } from '../../src/log/index.ts';
import type { Materializer, PartitionTask } from '../../src/pipeline/index.ts';
import type { channels } from '../../src/telemetry/index.ts';
import { Bench, type ClickRow, NOW_MS, openTestDuckdb, type Running, SOURCE } from './bench.ts';
import { Events } from './events.ts';

type EventOf<N extends keyof typeof channels> =
  (typeof channels)[N] extends Channel<unknown, infer E> ? E : never;

const TP = { topic: SOURCE.topic, partition: 0 };
const OTHER = { topic: SOURCE.topic, partition: 1 };

let duckdb: Duckdb;
let bench: Bench;
beforeAll(async () => {
  duckdb = await openTestDuckdb();
});
afterAll(() => duckdb.close());
afterEach(() => bench[Symbol.asyncDispose]());

function rows(count: number): ClickRow[] {
  return Array.from({ length: count }, (_, i) => ({
    user: `u${i % 3}`,
    at: (NOW_MS - 1_000 + i) * 1_000,
    made: null,
    amount: i,
  }));
}

const events = <N extends keyof typeof channels>(name: N): Events<EventOf<N>> =>
  new Events(`freshet:${name}`);

/** An opener of tasks whose `process` goes through `around`. */
function tasksAround(
  running: Running,
  around: (
    tp: TopicPartition,
    work: () => ReturnType<PartitionTask['process']>,
  ) => ReturnType<PartitionTask['process']>,
) {
  const opened: TopicPartition[] = [];
  const openTask = async (tp: TopicPartition): Promise<PartitionTask> => {
    opened.push(tp);
    const task = await bench.task(running, tp);
    const process = task.process.bind(task);
    task.process = (batch) => around(tp, () => process(batch));
    return task;
  };
  return { opened, openTask };
}

/** The log with some methods of its group readers replaced. */
function withReader(
  log: Log,
  replace: (reader: LogReader, membership: GroupMembership) => Partial<LogReader>,
): Log {
  return over(log, {
    join: async (membership) => {
      const reader = await log.join(membership);
      return over(reader, replace(reader, membership));
    },
  });
}

function over<T extends object>(real: T, replaced: Partial<T>): T {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown =
        name in replaced ? replaced[name as keyof T] : Reflect.get(target, name, target);
      return typeof value === 'function' && !(name in replaced) ? value.bind(target) : value;
    },
  });
}

const failure = (code: ErrorCode): FreshetError => new FreshetError(code, `made ${code}`);

describe('an engine', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb, 2);
  });

  it('keeps up with records as they come', async () => {
    const engine = await bench.engine(await bench.start());
    for (const count of [3, 4]) {
      await bench.append(rows(count));
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
    await bench.append(rows(7));
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
    await bench.append([...rows(4), null]);
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
    const { openTask } = tasksAround(running, async (_, work) => {
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
    await bench.append(rows(20));
    await bench.append(rows(20), 1);
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
    await bench.append(rows(1));
    const engine = await bench.engine(await bench.start(), { idleMs });
    await engine.caughtUp();
    bench.clock.advance(60_001);
    await idle.first((event) => event.idle && event.partition === 0);
    expect(engine.status().map((partition) => partition.idle)).toEqual([true, true]);
    await bench.append(rows(1));
    await idle.first((event) => !event.idle);
    expect(engine.status().map((partition) => partition.idle)).toEqual([false, true]);
    await engine.stop();
  });
});

describe('a failure that can be mended', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb, 2);
  });

  it('suspends its partition alone, for a pause that doubles', async () => {
    const running = await bench.start();
    let failures = 3;
    const { opened, openTask } = tasksAround(running, async (tp, work) => {
      if (tp.partition === 0 && failures-- > 0) throw failure('DISK_FULL');
      return work();
    });
    await bench.append(rows(5));
    await bench.append(rows(6), 1);
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
    const { openTask } = tasksAround(running, async () => {
      throw failure('DISK_FULL');
    });
    await bench.append(rows(1));
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
    const { openTask } = tasksAround(running, async (_, work) => {
      await work();
      throw failure('DISK_FAILED');
    });
    await bench.append(rows(5));
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
    await bench.append(rows(2));
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
      await bench.append(rows(2));
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
    const { openTask } = tasksAround(running, async ({ partition }, work) => {
      if (partition === 0) throw failure('STORE_CORRUPT');
      return work();
    });
    await bench.append(rows(5));
    await bench.append(rows(6), 1);
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
    for (let partition = 0; partition < 4; partition++) await bench.append(rows(count), partition);
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

describe('records that retention removed before they were read', () => {
  beforeEach(async () => {
    bench = await Bench.open(duckdb);
  });

  /** An engine has read ten rows, published six of them, and was away while fifteen were removed. */
  async function away(): Promise<Running> {
    const running = await bench.start();
    await bench.append(rows(10));
    const task = await bench.task(running, TP);
    const [six, four] = await bench.batches(6);
    await task.process(six!);
    await task.seal();
    await task.process(four!);
    await task.discard();
    await bench.append(rows(10));
    await bench.log.deleteRecordsBefore(TP, 15);
    return running;
  }

  it('stop the engine with the range', async () => {
    const engine = await bench.engine(await away());
    await expect(engine.finished).rejects.toMatchObject({
      code: 'OFFSET_GAP',
      message: expect.stringContaining('6 to 14'),
      where: TP,
    });
    expect((await bench.outcome()).gaps).toEqual([]);
  });

  it('are skipped and recorded when the engine is told to', async () => {
    using gaps = events('gap');
    const engine = await bench.engine(await away(), { skipGap: true });
    await engine.caughtUp();
    await engine.stop();
    expect(gaps.all).toEqual([{ ...TP, fromOffset: 6, toOffset: 15 }]);
    const outcome = await bench.outcome();
    const common = { partition: 0, toOffset: 15, skippedAtMs: NOW_MS };
    expect(outcome.gaps).toEqual([
      { ...common, of: 'history', fromOffset: 6 },
      { ...common, of: 'state', fromOffset: 10 },
    ]);
    expect(outcome.entries.map(({ startOffset, endOffset }) => [startOffset, endOffset])).toEqual([
      [0, 6],
      [15, 20],
    ]);
    expect(outcome.positions[0]).toMatchObject({ applied: 20, sealed: 20, counters: { rows: 15 } });
    const later = await bench.engine(await bench.start(), { skipGap: true });
    await later.caughtUp();
    await later.stop();
    expect(gaps.all).toHaveLength(1);
  });

  it('while the engine runs cost it nothing that it had read', async () => {
    const running = await bench.start();
    await bench.append(rows(40));
    let trimmed = false;
    const { openTask } = tasksAround(running, async (_, work) => {
      const published = await work();
      if (!trimmed) await bench.log.deleteRecordsBefore(TP, 25);
      trimmed = true;
      return published;
    });
    const options = { openTask, batchRecordsMax: 10, skipGap: true };
    const engine = await bench.engine(running, options);
    await engine.caughtUp();
    await engine.stop();
    const { entries, gaps, history } = await bench.outcome();
    expect(gaps.map(({ of, fromOffset, toOffset }) => [of, fromOffset, toOffset])).toEqual([
      ['state', 10, 25],
      ['history', 10, 25],
    ]);
    expect(entries.map(({ startOffset, endOffset }) => [startOffset, endOffset])).toEqual([
      [0, 10],
      [25, 40],
    ]);
    expect(history).toHaveLength(25);
  });
});
