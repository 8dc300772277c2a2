import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Duckdb } from '../../src/duckdb/index.ts';
import { type PartitionTask, rewind } from '../../src/pipeline/index.ts';
import type { SegmentEntry } from '../../src/segment/index.ts';
import { Machine } from '../checkpoint/machine.ts';
import { DEAD_LETTERS, readAll } from '../checkpoint/support.ts';
import {
  Bench,
  type ClickRow,
  NOW_MS,
  openTestDuckdb,
  type Running,
  rowsOf,
  SOURCE,
  START_US,
} from './bench.ts';
import { events } from './events.ts';

const TP = { topic: SOURCE.topic, partition: 0 };

let duckdb: Duckdb;
let bench: Bench;
beforeAll(async () => {
  duckdb = await openTestDuckdb();
});
afterAll(() => duckdb.close());
beforeEach(async () => {
  bench = await Bench.open(duckdb);
});
afterEach(() => bench[Symbol.asyncDispose]());

async function processAll(task: PartitionTask, size: number, from = 0): Promise<SegmentEntry[]> {
  const published: SegmentEntry[] = [];
  for (const batch of await bench.batches(size, from))
    published.push(...(await task.process(batch)));
  return published;
}

function cuts(entries: readonly SegmentEntry[]): [number, number][] {
  return entries.map(({ startOffset, endOffset }) => [startOffset, endOffset]);
}

/** A task that has read everything, and sealed what it was told to. */
async function ran(size: number, sealAfter: number): Promise<Running> {
  const running = await bench.start();
  const task = await bench.task(running, TP);
  let read = 0;
  for (const batch of await bench.batches(size)) {
    await task.process(batch);
    if (++read === sealAfter) await task.seal();
  }
  await task.discard();
  return running;
}

it('tells of the commit of each batch that changes state', async () => {
  await bench.append(rowsOf(20));
  const task = await bench.task(await bench.start(), TP);
  using commits = events('commit');
  await processAll(task, 10);
  expect(commits.all.map(({ nextOffset }) => nextOffset)).toEqual([10, 20]);
});

describe('reading again', () => {
  it('from below `applied` brings rows to history and none to state', async () => {
    await bench.append(rowsOf(20));
    const running = await ran(10, 1);
    const task = await bench.task(running, TP);
    const before = running.machine.steps.length;
    expect(task.nextOffset).toBe(10);
    await processAll(task, 4, 10);
    expect(running.machine.steps.slice(before)).toEqual([]);
    expect(cuts(await task.seal())).toEqual([[10, 20]]);
    const { history, positions } = await bench.outcome();
    expect(history.map((row) => row['amount'])).toEqual(rowsOf(20).map(({ amount }) => amount));
    expect(positions[0]).toMatchObject({ applied: 20, sealed: 20, counters: { rows: 20 } });
  });

  it('in a batch across `applied` brings state only what it lacks', async () => {
    await bench.append(rowsOf(20));
    const running = await ran(10, 99);
    await bench.append(rowsOf(5));
    const task = await bench.task(running, TP);
    await processAll(task, 25);
    await task.seal();
    expect(bench.upserted).toEqual([...Array(25).keys()]);
    const { history, positions } = await bench.outcome();
    expect(positions[0]).toMatchObject({ applied: 25, counters: { rows: 25 } });
    expect(history).toHaveLength(25);
  });

  it('from below `sealed` brings rows to state and none to history', async () => {
    await bench.append(rowsOf(20));
    const running = await ran(10, 2);
    const replay = { ...TP, fromOffset: 5, untilOffset: 20, records: 15, clear: false, lost: [] };
    await rewind(running.state, 1, [replay], 0);
    const before = await bench.outcome();
    const task = await bench.task(running, TP);
    expect(task.nextOffset).toBe(5);
    await processAll(task, 4, 5);
    expect(await task.seal()).toEqual([]);
    const { positions, ...after } = await bench.outcome();
    expect(positions[0]).toMatchObject({ applied: 20, sealed: 20, counters: { rows: 20 } });
    expect(after).toEqual({ ...before, positions: undefined });
  });
});

describe('lateness', () => {
  it('is counted for each view by its grace, and not again when a row is read again', async () => {
    const late = (behindMs: number): ClickRow => ({
      ...rowsOf(1)[0]!,
      at: START_US - behindMs * 1_000,
    });
    // Stream time is a millisecond behind the greatest event time.
    await bench.append([...rowsOf(1), late(1), late(2), late(11), late(12)]);
    const running = await ran(2, 99);
    await processAll(await bench.task(running, TP), 5);
    const { positions, history } = await bench.outcome();
    expect(positions[0]!.counters.late).toEqual({
      newest: 3,
      patient: 1,
      offline: 3,
      sums: 2,
    });
    expect(history).toEqual([]);
  });

  it('of a row that is read again for its segment is what it was the first time', async () => {
    await bench.append(rowsOf(10, 5).toReversed());
    const running = await ran(3, 1);
    const task = await bench.task(running, TP);
    await processAll(task, 10, 3);
    await task.seal();
    const { history } = await bench.outcome();
    const expected = Array.from({ length: 10 }, (_, i) => BigInt(Math.max(0, i * 5_000 - 1_000)));
    expect(history.map((row) => row['_late'])).toEqual(expected);
  });

  it('moves stream time with rows alone', async () => {
    const task = await bench.task(await bench.start(), TP);
    expect(task.streamTimeUs).toBeNull();
    await bench.append(['no row', ...rowsOf(3)]);
    await processAll(task, 9);
    expect(task.streamTimeUs).toBe(START_US + 1_000);
  });
});

describe('a record that is no row', () => {
  it('becomes a dead letter with its reason, origin, own headers and bytes', async () => {
    const own = ['trace', Buffer.from('t1')] as const;
    await bench.append(rowsOf(2));
    await bench.log.append([
      { ...TP, key: Buffer.from('k'), value: Buffer.from('{"user":'), headers: [own] },
    ]);
    await bench.append([null]);
    await processAll(await bench.task(await bench.start(), TP), 9);
    const [broken, empty] = await readAll(bench.log, { topic: DEAD_LETTERS, partition: 0 });
    expect(broken).toMatchObject({ key: 'k', value: '{"user":' });
    expect(broken!.headers).toEqual({
      trace: 't1',
      'freshet-error-code': 'ROW_UNDECODABLE',
      'freshet-error-reason': expect.stringContaining('not JSON'),
      'freshet-topic': 'clicks',
      'freshet-partition': '0',
      'freshet-offset': '2',
      'freshet-timestamp-ms': String(NOW_MS),
      'freshet-sequence': 'clicks-0:0',
    });
    expect(empty).toMatchObject({ key: 'none', value: null });
    expect(empty!.headers).toMatchObject({
      'freshet-error-code': 'ROW_EMPTY',
      'freshet-offset': '3',
      'freshet-sequence': 'clicks-0:1',
    });
  });

  it('that is too large is carried as far as it goes, with its whole size', async () => {
    const bytes = 1024 * 1024 + 1;
    await bench.append(['x'.repeat(bytes)]);
    await processAll(await bench.task(await bench.start(), TP), 9);
    const [letter] = await readAll(bench.log, { topic: DEAD_LETTERS, partition: 0 });
    expect(letter!.value).toHaveLength(960 * 1024);
    expect(letter!.headers).toMatchObject({
      'freshet-error-code': 'ROW_TOO_LARGE',
      'freshet-truncated-bytes': String(bytes),
    });
  });

  it('waits in the outbox over a restart until it can be appended', async () => {
    await bench.append([null, ...rowsOf(1)]);
    const running = await bench.start(new Machine({ at: 'append', done: false, kind: 'stop' }));
    await expect(processAll(await bench.task(running, TP), 9)).rejects.toThrow('stops here');
    expect(await readAll(bench.log, { topic: DEAD_LETTERS, partition: 0 })).toEqual([]);
    await (await bench.task(await bench.start(), TP)).dispatchOutbox();
    expect(await readAll(bench.log, { topic: DEAD_LETTERS, partition: 0 })).toHaveLength(1);
  });
});

describe('a segment is cut', () => {
  it('when it has enough rows', async () => {
    bench.cutPolicy = { ...bench.cutPolicy, rowsMax: 6 };
    await bench.append(rowsOf(13));
    const task = await bench.task(await bench.start(), TP);
    expect(cuts(await processAll(task, 4))).toEqual([[0, 8]]);
    expect(cuts(await task.seal())).toEqual([[8, 13]]);
    expect(await task.seal()).toEqual([]);
  });

  it('when it has enough bytes', async () => {
    bench.cutPolicy = { ...bench.cutPolicy, bytesMax: 400 };
    await bench.append(rowsOf(12));
    const published = await processAll(await bench.task(await bench.start(), TP), 1);
    expect(published.length).toBeGreaterThan(1);
    expect(published.length).toBeLessThan(12);
  });

  it('when it is old enough, which is asked without records', async () => {
    bench.cutPolicy = { ...bench.cutPolicy, ageMsMax: 1_000 };
    await bench.append(rowsOf(4));
    const task = await bench.task(await bench.start(), TP);
    bench.clock.advance(5_000); // nothing waits yet
    expect(task.cutIsDue).toBe(false);
    expect(await processAll(task, 4)).toEqual([]);
    bench.clock.advance(999);
    expect(task.cutIsDue).toBe(false);
    bench.clock.advance(1);
    expect(task.cutIsDue).toBe(true);
    expect(cuts(await task.seal())).toEqual([[0, 4]]);
    expect(task.cutIsDue).toBe(false);
  });

  it('when it is old enough, though no record became a row', async () => {
    bench.cutPolicy = { ...bench.cutPolicy, ageMsMax: 1_000 };
    const task = await bench.task(await bench.start(), TP);
    const published: SegmentEntry[] = [];
    for (let i = 0; i < 3; i++) {
      await bench.append([null]);
      published.push(...(await processAll(task, 9, task.nextOffset)));
      bench.clock.advance(600);
    }
    expect(published).toMatchObject([{ startOffset: 0, endOffset: 3, rowCount: 0, file: null }]);
  });

  it('at the end that was chosen before a stop, whatever is read after it', async () => {
    bench.cutPolicy = { ...bench.cutPolicy, rowsMax: 8 };
    await bench.append(rowsOf(20));
    const stopped = await bench.start(
      new Machine({ at: 'makeDirectory', done: false, kind: 'stop' }),
    );
    const [first] = await bench.batches(8);
    await expect((await bench.task(stopped, TP)).process(first!)).rejects.toThrow('stops here');
    const { positions } = await bench.outcome();
    expect(positions[0]).toMatchObject({ applied: 8, sealed: 0, intent: 8 });

    const again = await bench.task(await bench.start(), TP);
    const [five, ...rest] = await bench.batches(5);
    await again.process(five!);
    expect(again.cutIsDue).toBe(false);
    expect(await again.seal()).toEqual([]);
    const published: SegmentEntry[] = [];
    for (const batch of rest) published.push(...(await again.process(batch)));
    published.push(...(await again.seal()));
    expect(cuts(published)[0]).toEqual([0, 8]);
    expect(published.map(({ rowCount }) => rowCount).reduce((a, b) => a + b)).toBe(20);
  });
});

describe('records that were removed before they were read', () => {
  it('are OFFSET_GAP naming the range, and the task is as it was', async () => {
    await bench.append(rowsOf(30));
    const task = await bench.task(await bench.start(), TP);
    const [first] = await bench.batches(10);
    await task.process(first!);
    await bench.log.deleteRecordsBefore(TP, 15);
    const [behind] = await bench.batches(10, 15);
    await expect(task.process(behind!)).rejects.toMatchObject({
      code: 'OFFSET_GAP',
      message: expect.stringContaining('10 to 14'),
      where: { ...TP, offset: 10 },
    });
    expect(task.isSpent).toBe(false);
    expect(cuts(await task.seal())).toEqual([[0, 10]]);
  });

  it('are no gap when only retention has passed what was read', async () => {
    await bench.append(rowsOf(30));
    const task = await bench.task(await bench.start(), TP);
    const [first, second] = await bench.batches(10);
    await task.process(first!);
    await task.process({ ...second!, logStartOffset: 8 });
    expect(task.nextOffset).toBe(20);
  });

  it('are no gap when the log has holes of its own', async () => {
    await bench.append(rowsOf(30));
    const task = await bench.task(await bench.start(), TP);
    const [first, , third] = await bench.batches(10);
    await task.process(first!);
    await task.process(third!);
    expect(cuts(await task.seal())).toEqual([[0, 30]]);
    expect((await bench.outcome()).history).toHaveLength(20);
  });
});

describe('a task that threw', () => {
  it('does nothing more: what it buffered may be half of something', async () => {
    bench.cutPolicy = { ...bench.cutPolicy, rowsMax: 1 };
    await bench.append(rowsOf(10));
    const running = await bench.start(new Machine({ at: 'rename', done: true, kind: 'once' }));
    const task = await bench.task(running, TP);
    const [batch] = await bench.batches(10);
    await expect(task.process(batch!)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(task.isSpent).toBe(true);
    await expect(task.process(batch!)).rejects.toThrow('threw');
    await expect(task.seal()).rejects.toThrow('threw');
    await task.discard();
    await task.discard();
    expect((await bench.outcome()).entries).toEqual([]);
  });
});
