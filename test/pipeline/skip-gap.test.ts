import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Duckdb } from '../../src/duckdb/index.ts';
import { Bench, NOW_MS, openTestDuckdb, type Running, rowsOf, SOURCE } from './bench.ts';
import { events } from './events.ts';
import { tasksAround } from './tampering.ts';

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

describe('records that retention removed before they were read', () => {
  /** An engine has read ten rows, published six of them, and was away while fifteen were removed. */
  async function away(): Promise<Running> {
    const running = await bench.start();
    await bench.append(rowsOf(10));
    const task = await bench.task(running, TP);
    const [six, four] = await bench.batches(6);
    await task.process(six!);
    await task.seal();
    await task.process(four!);
    await task.discard();
    await bench.append(rowsOf(10));
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
    await bench.append(rowsOf(40));
    let trimmed = false;
    const { openTask } = tasksAround(bench, running, async (_, work) => {
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
