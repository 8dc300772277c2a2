import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Duckdb } from '../../src/duckdb/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { planReplay, type ReplayFrom, rewind } from '../../src/pipeline/index.ts';
import { entityStateKey, SPACE } from '../../src/state/index.ts';
import { Machine } from '../checkpoint/machine.ts';
import { Bench, type Outcome, openTestDuckdb, SOURCE } from './bench.ts';
import { streamOf } from './stream.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_251_125);
const TP = { topic: SOURCE.topic, partition: 0 };
const OTHER = { topic: SOURCE.topic, partition: 1 };
const SOURCE_ID = 1;
const CLICKS = { name: SOURCE.name, id: SOURCE_ID };

let duckdb: Duckdb;
let bench: Bench;
beforeAll(async () => {
  duckdb = await openTestDuckdb();
});
afterAll(() => duckdb.close());
beforeEach(async () => {
  bench = await Bench.open(duckdb, 2);
});
afterEach(() => bench[Symbol.asyncDispose]());

/** Thirty records a second before thirty more, and a few in another partition; all of them read. */
async function history(): Promise<Outcome> {
  const records = streamOf(60, SEED);
  await bench.append(records.slice(0, 30));
  await bench.append(streamOf(10, SEED + 1), 1);
  bench.clock.advance(1_000);
  await bench.append(records.slice(30));
  await run();
  return bench.outcome();
}

async function run(machine = new Machine()): Promise<void> {
  const engine = await bench.engine(await bench.start(machine), { batchRecordsMax: 7 });
  try {
    await engine.caughtUp();
  } finally {
    await engine.stop();
  }
}

async function replay(from: ReplayFrom, tps = [TP], skipGap = false) {
  const { log, state, manifest } = await bench.start();
  const plan = await planReplay(log, { state, manifest }, CLICKS, tps, from, skipGap);
  await rewind(state, SOURCE_ID, plan, bench.clock.nowMs());
  return plan;
}

describe(`a replay (seed ${SEED})`, () => {
  const beginnings: {
    name: string;
    from: () => ReplayFrom;
    fromOffset: number;
    clear: boolean;
  }[] = [
    { name: 'the earliest offset', from: () => 'earliest', fromOffset: 0, clear: true },
    { name: 'an offset', from: () => ({ offset: 17 }), fromOffset: 17, clear: false },
    {
      name: 'a time',
      from: () => ({ timeMs: bench.clock.nowMs() - 1 }),
      fromOffset: 30,
      clear: false,
    },
  ];

  it.each(beginnings)(
    'from $name ends with the same state',
    async ({ from, fromOffset, clear }) => {
      const before = await history();
      expect(await replay(from())).toEqual([
        { ...TP, fromOffset, untilOffset: 60, records: 60 - fromOffset, clear, lost: [] },
      ]);
      const rewound = await bench.outcome();
      expect(rewound.positions[0]).toMatchObject({ applied: fromOffset, sealed: 60 });
      expect(rewound.online['newest']!.some(({ partition }) => partition === 0)).toBe(!clear);
      await run();
      const after = await bench.outcome();
      expect(after.checksum).toEqual(before.checksum);
      // Nothing is written to history, reported or counted a second time.
      expect(after).toEqual(before);
    },
  );

  it('that is stopped on its way goes on where it was', async () => {
    const before = await history();
    await replay('earliest');
    await expect(run(new Machine({ at: 4, done: true, kind: 'stop' }))).rejects.toThrow('stop');
    expect((await bench.outcome()).positions[0]!.applied).toBeLessThan(60);
    await run();
    expect(await bench.outcome()).toEqual(before);
  });

  it('reads what came since, too', async () => {
    await history();
    await replay({ offset: 50 });
    await bench.append(streamOf(5, SEED + 2));
    await run();
    const { positions, history: rows } = await bench.outcome();
    expect(positions[0]).toMatchObject({ applied: 65, sealed: 65, reported: 65, counted: 65 });
    const { rows: counted, rejected } = positions[0]!.counters;
    expect(counted + rejected).toBe(65);
    expect(rows.filter((row) => row['_partition'] === 0)).toHaveLength(counted);
  });

  it('from the earliest offset rebuilds its partition, and leaves others alone', async () => {
    const before = await history();
    const { state } = await bench.start();
    const strays = [SPACE.row, SPACE.head, SPACE.tiles].map((space) =>
      entityStateKey(SOURCE_ID, 0, space, 1, Buffer.from('zed\0\0')),
    );
    const batch = new KvBatch();
    for (const key of strays) batch.put(key, Buffer.from('left by a mistake'));
    await state.kv.write(batch);
    await replay('earliest');
    const cleared = await bench.start();
    expect(await cleared.state.kv.getMany(strays)).toEqual([undefined, undefined, undefined]);
    await run();
    const after = await bench.outcome();
    expect(after.checksum).toEqual(before.checksum);
    expect(after.positions[1]).toEqual(before.positions[1]);
  });

  it('of a cut in progress keeps the cut', async () => {
    await bench.append(streamOf(20, SEED));
    const machine = new Machine({ at: 'makeDirectory', done: false, kind: 'stop' });
    await expect(run(machine)).rejects.toThrow('stop');
    await replay('earliest');
    expect((await bench.outcome()).positions[0]).toMatchObject({ sealed: 0, intent: 20 });
    await bench.append(streamOf(9, SEED + 1));
    await run();
    const { entries } = await bench.outcome();
    expect(entries.map(({ startOffset, endOffset }) => [startOffset, endOffset])).toEqual([
      [0, 20],
      [20, 29],
    ]);
  });
});

describe('the plan of a replay', () => {
  const planOf = async (from: ReplayFrom, tps = [TP, OTHER]) => {
    const { log, state, manifest } = await bench.start();
    return planReplay(log, { state, manifest }, CLICKS, tps, from);
  };

  it('has a part for each partition, in the order asked', async () => {
    await history();
    expect(await planOf('earliest', [OTHER, TP])).toMatchObject([
      { ...OTHER, records: 10 },
      { ...TP, records: 60 },
    ]);
  });

  it('never goes ahead of what was read', async () => {
    await history();
    await bench.append(streamOf(5, SEED));
    const nothing = { fromOffset: 60, untilOffset: 60, records: 0 };
    expect(await planOf({ offset: 63 }, [TP])).toMatchObject([nothing]);
    expect(await planOf({ timeMs: bench.clock.nowMs() + 1 }, [TP])).toMatchObject([nothing]);
  });

  it('of what was never read is nothing, and writes nothing', async () => {
    await bench.append(streamOf(5, SEED));
    expect(await replay('earliest', [TP, OTHER])).toMatchObject([{ records: 0 }, { records: 0 }]);
    expect((await bench.outcome()).positions).toEqual({});
  });

  it('is OFFSET_GAP for an offset that was removed, saying where the log begins', async () => {
    await history();
    await bench.log.deleteRecordsBefore(TP, 12);
    await expect(planOf({ offset: 11 }, [TP])).rejects.toMatchObject({
      code: 'OFFSET_GAP',
      message: expect.stringContaining('begins at 12'),
      where: { ...TP, offset: 11 },
      next: expect.stringContaining('12'),
    });
  });
});

describe('a replay from the earliest of a log that was shortened behind the engine', () => {
  it('is refused, and says which records state would lose and that segments have them', async () => {
    const before = await history();
    await bench.log.deleteRecordsBefore(TP, 12);
    await expect(replay('earliest')).rejects.toMatchObject({
      code: 'OFFSET_GAP',
      message: expect.stringContaining('records 0 to 11 are in the online store'),
      where: { ...TP, offset: 0 },
      next: expect.stringContaining('--views'),
    });
    expect(await bench.outcome()).toEqual(before);
  });

  it('is refused where all is gone that was not yet read a second time', async () => {
    await history();
    await bench.append(streamOf(5, SEED));
    await bench.log.deleteRecordsBefore(TP, 63);
    await expect(replay('earliest')).rejects.toThrow('0 to 59');
  });

  it('says which of them no segment has', async () => {
    await bench.append(streamOf(20, SEED));
    const machine = new Machine({ at: 'makeDirectory', done: false, kind: 'stop' });
    await expect(run(machine)).rejects.toThrow('stop');
    await bench.log.deleteRecordsBefore(TP, 12);
    await expect(replay('earliest')).rejects.toMatchObject({
      code: 'OFFSET_GAP',
      next: expect.stringMatching(/no rows of 0 to 11 either.*--from 12/),
    });
  });

  it('that is to skip the gap rebuilds what is left and records what is lost, once', async () => {
    await history();
    await bench.log.deleteRecordsBefore(TP, 12);
    const lost = [{ fromOffset: 0, toOffset: 12 }];
    expect(await replay('earliest', [TP], true)).toMatchObject([
      { fromOffset: 12, records: 48, clear: true, lost },
    ]);
    await run();
    const { positions, gaps } = await bench.outcome();
    expect(positions[0]).toMatchObject({ applied: 60, sealed: 60 });
    expect(gaps).toEqual([
      { partition: 0, of: 'state', ...lost[0], skippedAtMs: bench.clock.nowMs() },
    ]);
    expect(await replay('earliest')).toMatchObject([{ fromOffset: 12, lost: [] }]);
  });

  it('loses nothing where reading began at the start that the log has now', async () => {
    await bench.append(streamOf(30, SEED));
    await bench.log.deleteRecordsBefore(TP, 12);
    await run();
    const { checksum } = await bench.outcome();
    expect(await replay('earliest')).toMatchObject([{ fromOffset: 12, records: 18, lost: [] }]);
    await run();
    expect((await bench.outcome()).checksum).toEqual(checksum);
  });
});
