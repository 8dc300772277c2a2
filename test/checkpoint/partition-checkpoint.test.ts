import { describe, expect, it } from 'vitest';
import {
  type BatchUpdate,
  listGaps,
  type OutboxRecord,
  PartitionCheckpoint,
  readPositions,
  startPositions,
} from '../../src/checkpoint/index.ts';
import { FreshetError } from '../../src/errors.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { kvManifest, type SegmentCut, type SegmentWriter } from '../../src/segment/index.ts';
import { openStateStore, type StateStore } from '../../src/state/index.ts';
import { entryOf } from '../segment/support.ts';
import { openTestStore } from '../state/test-store.ts';
import { DurableKv, logOn, Machine } from './machine.ts';
import { DEAD_LETTERS, openTestLog, readAll } from './support.ts';

const TP = { topic: 'clicks', partition: 0 };
const TARGET = { topic: DEAD_LETTERS, partition: 0 };
const SOURCE_ID = 1;
const KEY = Buffer.from('a key of the state');

const open = async (state: StateStore, first = 0) => {
  expect(await state.dictionary.ensureSource('clicks')).toBe(SOURCE_ID);
  const stores = { state, manifest: kvManifest(state) };
  return PartitionCheckpoint.open(stores, SOURCE_ID, TP, startPositions(first));
};

function update(applied: number, letters: readonly string[] = []): BatchUpdate {
  const outbox = letters.map(
    (text): OutboxRecord => ({ ...TARGET, key: null, value: Buffer.from(text), headers: [] }),
  );
  const counters = { rows: applied, rejected: letters.length, late: {} };
  return { applied, appliedMaxEventTimeUs: applied * 10, outbox, counters };
}

/** A writer that notes its cuts; `fails` as often as it is told to. */
class NotedWriter {
  readonly cuts: SegmentCut[] = [];
  fails = 0;

  get writer(): SegmentWriter {
    return this as unknown as SegmentWriter;
  }

  async write(cut: SegmentCut) {
    this.cuts.push(cut);
    if (this.fails-- > 0) throw new FreshetError('DISK_FULL', 'no space');
    return entryOf(cut);
  }
}

async function letters(log: Parameters<typeof readAll>[0]): Promise<(string | null)[]> {
  return (await readAll(log, TARGET)).map(({ value }) => value);
}

describe('opening a partition', () => {
  it('begins at the positions given, and later at those stored', async () => {
    const state = await openTestStore();
    expect(await readPositions(state, SOURCE_ID, 0)).toBeNull();
    const first = await open(state, 5);
    expect(first.positions).toEqual(startPositions(5));
    await first.commitBatch(new KvBatch(), update(8));
    expect((await open(state, 5)).positions).toEqual(first.positions);
    expect(await readPositions(state, SOURCE_ID, 0)).toEqual(first.positions);
    expect(await readPositions(state, SOURCE_ID, 1)).toBeNull();
  });
});

describe('the commit of a batch', () => {
  it('writes state, positions and outbox at once', async () => {
    const machine = new Machine();
    const state = await openStateStore(await new DurableKv().open(machine));
    const checkpoint = await open(state);
    const before = machine.steps.length;
    await checkpoint.commitBatch(new KvBatch().put(KEY, KEY), update(10, ['a', 'b']));
    expect(machine.steps.slice(before)).toEqual(['synced write']);
    expect(await state.kv.get(KEY)).toBeDefined();
    expect(checkpoint.positions).toMatchObject({
      applied: 10,
      appliedMaxEventTimeUs: 100,
      sealed: 0,
      reported: 10,
      counted: 10,
      outboxNext: 2,
      counters: { rows: 10, rejected: 2 },
    });
  });

  it('is synced only when something waits in the outbox', async () => {
    const machine = new Machine();
    const checkpoint = await open(await openStateStore(await new DurableKv().open(machine)));
    const before = machine.steps.length;
    await checkpoint.commitBatch(new KvBatch(), update(3));
    await checkpoint.commitBatch(new KvBatch(), update(4, ['a']));
    expect(machine.steps.slice(before)).toEqual(['write', 'synced write']);
  });

  it('never takes `applied` back', async () => {
    const checkpoint = await open(await openTestStore(), 5);
    await expect(checkpoint.commitBatch(new KvBatch(), update(4))).rejects.toThrow('go back');
  });
});

describe('the outbox', () => {
  it('is appended in order with rising numbers, and forgotten', async () => {
    await using log = await openTestLog();
    const state = await openTestStore();
    const checkpoint = await open(state);
    await checkpoint.commitBatch(new KvBatch(), update(2, ['a', 'b']));
    await checkpoint.dispatchOutbox(log);
    await checkpoint.commitBatch(new KvBatch(), update(3, ['c']));
    await checkpoint.dispatchOutbox(log);
    await checkpoint.dispatchOutbox(log);
    const records = await readAll(log, TARGET);
    expect(records.map(({ value, headers }) => [value, headers['freshet-sequence']])).toEqual([
      ['a', 'clicks-0:0'],
      ['b', 'clicks-0:1'],
      ['c', 'clicks-0:2'],
    ]);
    expect(checkpoint.positions.outboxMarks).toEqual({ 'dead-letters-0': 3 });
    await (await open(state)).dispatchOutbox(log);
    expect(await letters(log)).toHaveLength(3);
  });

  it('that was not appended before a stop is appended after it', async () => {
    await using log = await openTestLog();
    const state = await openTestStore();
    await (await open(state)).commitBatch(new KvBatch(), update(2, ['a', 'b']));
    await (await open(state)).dispatchOutbox(log);
    expect(await letters(log)).toEqual(['a', 'b']);
  });

  it.each([
    ['the append', false],
    ['the append, which had its effect,', true],
  ])('is not doubled when %s fails and is tried again', async (_, done) => {
    await using log = await openTestLog();
    const state = await openTestStore();
    const failing = logOn(log, new Machine({ at: 0, done, kind: 'once' }));
    const checkpoint = await open(state);
    await checkpoint.commitBatch(new KvBatch(), update(2, ['a', 'b']));
    await expect(checkpoint.dispatchOutbox(failing)).rejects.toMatchObject({
      code: 'LOG_UNAVAILABLE',
    });
    await checkpoint.dispatchOutbox(log);
    expect(await letters(log)).toEqual(['a', 'b']);
  });

  it.each([['process'], ['machine']])(
    'is not doubled when the %s stops between the append and the forgetting',
    async (stopped) => {
      await using log = await openTestLog();
      const kv = new DurableKv();
      const first = await openStateStore(await kv.open(new Machine()));
      const checkpoint = await open(first);
      await checkpoint.commitBatch(new KvBatch(), update(1, ['a']));
      await checkpoint.dispatchOutbox(log);
      await checkpoint.commitBatch(new KvBatch(), update(3, ['b', 'c']));
      await log.append([{ ...TARGET, key: null, value: Buffer.from('of another') }]);

      const halted = await openStateStore(
        await kv.open(new Machine({ at: 0, done: false, kind: 'stop' })),
      );
      await expect((await open(halted)).dispatchOutbox(log)).rejects.toThrow('stops here');
      if (stopped === 'machine') kv.losePower();
      const again = await open(await openStateStore(await kv.open(new Machine())));
      await again.dispatchOutbox(log);
      await again.commitBatch(new KvBatch(), update(4, ['d']));
      await again.dispatchOutbox(log);
      expect(await letters(log)).toEqual(['a', 'of another', 'b', 'c', 'd']);
    },
  );
});

describe('a segment', () => {
  it('is written after its intent and before its entry, both synced', async () => {
    const machine = new Machine();
    const state = await openStateStore(await new DurableKv().open(machine));
    const checkpoint = await open(state);
    const noted = new NotedWriter();
    await checkpoint.commitBatch(new KvBatch(), update(10));
    const before = machine.steps.length;
    const writer = {
      write: async (cut: SegmentCut) => {
        expect((await readPositions(state, SOURCE_ID, 0))?.intent).toBe(10);
        expect(await kvManifest(state).entries('clicks')).toEqual([]);
        machine.steps.push('file');
        return noted.write(cut);
      },
    } as unknown as SegmentWriter;
    const entry = await checkpoint.seal(writer, 10, 77);
    expect(machine.steps.slice(before)).toEqual(['synced write', 'file', 'synced write']);
    expect(noted.cuts).toEqual([{ startOffset: 0, endOffset: 10 }]);
    expect(await kvManifest(state).entries('clicks')).toEqual([entry]);
    expect(await readPositions(state, SOURCE_ID, 0)).toMatchObject({
      sealed: 10,
      sealedMaxEventTimeUs: 77,
      intent: null,
    });
  });

  it('that failed keeps its end, also after a restart', async () => {
    const state = await openTestStore();
    const noted = new NotedWriter();
    noted.fails = 1;
    const checkpoint = await open(state);
    await checkpoint.commitBatch(new KvBatch(), update(10));
    await expect(checkpoint.seal(noted.writer, 10, 77)).rejects.toMatchObject({
      code: 'DISK_FULL',
    });
    const again = await open(state);
    expect(again.positions).toMatchObject({ sealed: 0, intent: 10 });
    await expect(again.seal(noted.writer, 12, 77)).rejects.toThrow('ends at 10, not 12');
    await again.seal(noted.writer, 10, 77);
    expect(noted.cuts).toEqual([
      { startOffset: 0, endOffset: 10 },
      { startOffset: 0, endOffset: 10 },
    ]);
  });

  it('is never empty of offsets', async () => {
    const checkpoint = await open(await openTestStore(), 4);
    await expect(checkpoint.seal(new NotedWriter().writer, 4, null)).rejects.toThrow('above 4');
  });
});

describe('a gap that is skipped', () => {
  it('is recorded apart for state and history, with the positions behind it', async () => {
    const machine = new Machine();
    const state = await openStateStore(await new DurableKv().open(machine));
    const checkpoint = await open(state);
    await checkpoint.commitBatch(new KvBatch(), update(10));
    await checkpoint.seal(new NotedWriter().writer, 6, 60);
    const before = machine.steps.length;
    const gaps = await checkpoint.skipGap(15, 1_234);
    expect(machine.steps.slice(before)).toEqual(['synced write']);
    const common = { partition: 0, toOffset: 15, skippedAtMs: 1_234 };
    expect(gaps).toEqual([
      { ...common, of: 'state', fromOffset: 10 },
      { ...common, of: 'history', fromOffset: 6 },
    ]);
    expect(await readPositions(state, SOURCE_ID, 0)).toMatchObject({
      applied: 15,
      sealed: 15,
      appliedMaxEventTimeUs: 100,
      sealedMaxEventTimeUs: 100,
      reported: 15,
      counted: 15,
    });
  });

  it('of history alone leaves state as it is', async () => {
    const state = await openTestStore();
    const checkpoint = await open(state);
    await checkpoint.commitBatch(new KvBatch(), update(20));
    expect(await checkpoint.skipGap(15, 0)).toMatchObject([{ of: 'history', fromOffset: 0 }]);
    expect(checkpoint.positions).toMatchObject({ applied: 20, sealed: 15, counted: 20 });
    expect(checkpoint.positions.sealedMaxEventTimeUs).toBeNull();
    expect(await listGaps(state.kv, SOURCE_ID)).toHaveLength(1);
  });

  it.each([
    [12, null],
    [15, null],
    [18, 18],
  ])('keeps a cut in progress that ends behind it, not one to %i', async (intent, kept) => {
    const state = await openTestStore();
    const noted = new NotedWriter();
    noted.fails = 1;
    const checkpoint = await open(state);
    await checkpoint.commitBatch(new KvBatch(), update(20));
    await expect(checkpoint.seal(noted.writer, intent, 1)).rejects.toThrow('no space');
    await checkpoint.skipGap(15, 0);
    expect(checkpoint.positions).toMatchObject({ sealed: 15, intent: kept });
  });
});
