/**
 * The promise of the commit: whatever stops an engine, at whatever step, and whatever of it was
 * durable by then, the engine that is started next ends where one ends that nothing ever stopped.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Duckdb } from '../../src/duckdb/index.ts';
import { FreshetError } from '../../src/errors.ts';
import { type Fault, Machine } from '../checkpoint/machine.ts';
import { Bench, type Outcome, openTestDuckdb } from './bench.ts';
import { expectedNewest, expectedRejects, expectedRows, streamOf } from './stream.ts';

const SEED = Number(process.env['FRESHET_SEED'] ?? 20_251_125);
const RECORDS = streamOf(48, SEED);

let duckdb: Duckdb;
let undisturbed: Outcome;
let steps: readonly string[];

beforeAll(async () => {
  duckdb = await openTestDuckdb();
  await using bench = await openBench();
  const machine = new Machine();
  expect(await run(bench, machine)).toBe(true);
  steps = machine.steps;
  undisturbed = await bench.outcome();
});
afterAll(() => duckdb.close());

async function openBench(): Promise<Bench> {
  const bench = await Bench.open(duckdb);
  bench.cutPolicy = { ...bench.cutPolicy, rowsMax: 12 };
  await bench.append(RECORDS);
  return bench;
}

/** Runs an engine until it has read everything and stops it; false when the machine stopped first. */
async function run(bench: Bench, machine: Machine): Promise<boolean> {
  try {
    const running = await bench.start(machine);
    const engine = await bench.engine(running, { batchRecordsMax: 8 });
    try {
      await engine.caughtUp();
    } finally {
      await engine.stop();
    }
  } catch (thrown) {
    if (machine.isOn) throw thrown;
  }
  return machine.isOn;
}

/** What must be the same; where the cuts are is chance. */
function essence({ positions, checksum, online, history, deadLetters }: Outcome) {
  const { applied, sealed, intent, counters, outboxNext } = positions[0]!;
  return {
    positions: { applied, sealed, intent, counters, outboxNext },
    checksum,
    online,
    history,
    deadLetters,
  };
}

function requireSame(outcome: Outcome): void {
  expect(essence(outcome)).toEqual(essence(undisturbed));
  let end = 0;
  for (const { startOffset, endOffset } of outcome.entries) {
    expect(startOffset).toBe(end);
    end = endOffset;
  }
  expect(end).toBe(RECORDS.length);
}

describe(`an engine that nothing stops (seed ${SEED})`, () => {
  it('keeps the newest row of every user', () => {
    for (const view of ['newest', 'patient']) {
      const found = undisturbed.online[view]!.map(({ entityKey, offset }) => [
        entityKey['user'],
        offset,
      ]);
      expect(found).toEqual(expectedNewest(RECORDS));
    }
    expect(undisturbed.online['offline']).toEqual([]);
  });

  it('keeps windows, too', () => {
    expect(Object.keys(undisturbed.checksum)).toEqual(['newest', 'patient', 'sums']);
  });

  it('writes every row to history, with its lateness', () => {
    const found = undisturbed.history.map((row) => ({
      user: row['user'],
      at: row['at'],
      made: row['made'],
      amount: row['amount'],
      offset: Number(row['_offset']),
      lateUs: Number(row['_late']),
    }));
    expect(found).toEqual(
      expectedRows(RECORDS).map(({ row, offset, lateUs }) => ({ ...row, offset, lateUs })),
    );
    expect(undisturbed.entries.length).toBeGreaterThan(2);
    requireSame(undisturbed);
  });

  it('sends every other record to the dead letters, once and in order', () => {
    const offsets = undisturbed.deadLetters.map(({ headers }) => Number(headers['freshet-offset']));
    expect(offsets).toEqual(expectedRejects(RECORDS));
    expect(offsets.length).toBeGreaterThan(0);
  });

  it('counts each record once, and late rows by the grace of their view', () => {
    const rows = expectedRows(RECORDS);
    const behind = (graceUs: number): number =>
      rows.filter(({ lateUs }) => lateUs > graceUs).length;
    expect(undisturbed.positions[0]!.counters).toEqual({
      rows: rows.length,
      rejected: RECORDS.length - rows.length,
      late: {
        newest: behind(0),
        patient: behind(10_000),
        offline: behind(0),
        sums: behind(5_000),
      },
    });
    expect(behind(10_000)).toBeGreaterThan(0);
  });

  it('takes every kind of step', () => {
    expect([...new Set(steps)].sort()).toEqual([
      'append',
      'commitOffsets',
      'list',
      'makeDirectory',
      'rename',
      'sizeBytes',
      'syncDirectory',
      'syncFile',
      'synced write',
      'write',
    ]);
  });
});

describe(`an engine that is stopped (seed ${SEED})`, () => {
  const endings = [
    { name: 'before a step, by its process', done: false, losesPower: false },
    { name: 'before a step, by a loss of power', done: false, losesPower: true },
    { name: 'after a step, by its process', done: true, losesPower: false },
    { name: 'after a step, by a loss of power', done: true, losesPower: true },
  ];
  it.each(endings)(
    '$name, ends the same when it is started again',
    async (ending) => {
      for (let at = 0; at < steps.length; at++) {
        await using bench = await openBench();
        const finished = await run(bench, new Machine({ at, done: ending.done, kind: 'stop' }));
        expect(finished, `step ${at} stops it`).toBe(false);
        if (ending.losesPower) bench.losePower();
        expect(await run(bench, new Machine())).toBe(true);
        await inStep(at, async () => requireSame(await bench.outcome()));
      }
    },
    120_000,
  );

  it('again and again, ends the same', async () => {
    const stop = fc.record({ at: fc.nat(40), done: fc.boolean(), losesPower: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(stop, { minLength: 2, maxLength: 8 }), async (stops) => {
        await using bench = await openBench();
        for (const { at, done, losesPower } of stops) {
          if (await run(bench, new Machine({ at, done, kind: 'stop' }))) break;
          if (losesPower) bench.losePower();
        }
        expect(await run(bench, new Machine())).toBe(true);
        requireSame(await bench.outcome());
      }),
      { seed: SEED, numRuns: 25 },
    );
  }, 120_000);
});

describe(`an engine that meets a failure once (seed ${SEED})`, () => {
  it.each([
    ['without effect', false],
    ['with its effect', true],
  ])(
    'at a step %s, goes on by itself and ends the same',
    async (_, done) => {
      for (let at = 0; at < steps.length; at++) {
        await using bench = await openBench();
        await mended(bench, { at, done, kind: 'once' });
        await inStep(at, async () => requireSame(await bench.outcome()));
      }
    },
    120_000,
  );
});

/** Time passes as the engine asks for it; what fails before the engine runs is started again. */
async function mended(bench: Bench, fault: Fault): Promise<void> {
  const pass = (event: unknown): void => bench.clock.advance((event as { waitMs: number }).waitMs);
  subscribe('freshet:retry', pass);
  try {
    const machine = new Machine(fault);
    try {
      await run(bench, machine);
    } catch (thrown) {
      if (!(thrown instanceof FreshetError && thrown.retriable)) throw thrown;
      await run(bench, machine);
    }
  } finally {
    unsubscribe('freshet:retry', pass);
  }
}

async function inStep(at: number, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (thrown) {
    throw new Error(`stopped at step ${at}, ${steps[at]}`, { cause: thrown });
  }
}
