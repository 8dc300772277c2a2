/**
 * Results of windows that end, of a stream that is cut in any way: each window once, when no row can
 * change it any more. The naive answer is made of all rows at once.
 */
import { describe, expect, it } from 'vitest';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import {
  count,
  entity,
  type FeatureView,
  hopping,
  session,
  sliding,
  sum,
  topicSource,
  tumbling,
  type WindowSpec,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import { KvBatch } from '../../src/kv/index.ts';
import { createUpserter, type RowUpserter } from '../../src/online/index.ts';
import type { WindowResult } from '../../src/online/window-results.ts';
import { SPACE, type StateStore, viewRange } from '../../src/state/index.ts';
import { openTestStore } from '../state/test-store.ts';
import {
  COLUMNS,
  fieldsOf,
  GRACE_US,
  generateStream,
  generator,
  KEYS,
  type StreamRow,
  seeds,
} from '../window/streams.ts';
import { makeRows } from './make-rows.ts';

const WINDOWS = [
  tumbling('10s'),
  hopping('30s', '10s', { offset: '3s' }),
  session('4s'),
  session('45s'),
] as const;

const viewOf = (mode: 'final' | 'updates'): FeatureView =>
  windowedFeatureView({
    name: 'sent',
    entities: [entity({ name: 'key', joinKeys: { key: 'string' } })],
    source: topicSource({
      name: 'events',
      topic: 'events',
      schema: COLUMNS,
      timestampField: 'ts',
      outOfOrderMs: 2_000,
    }),
    grace: `${GRACE_US / 1_000}ms`,
    emit: { topic: 'results', mode },
    aggregations: [
      { function: count(), window: sliding('60s'), name: 'not_sent' },
      ...WINDOWS.flatMap((window, w) => [
        { function: count(), window, name: `rows_${w}` },
        { column: 'n' as const, function: sum(), window, name: `n_${w}` },
      ]),
    ],
  }) as unknown as FeatureView;

/** One result as a text, for comparing. */
type Text = string;

class Stream {
  readonly state: StateStore;
  readonly #view: FeatureView;
  readonly #sourceId: number;
  #upserter: RowUpserter | null = null;

  static async open(mode: 'final' | 'updates' = 'final'): Promise<Stream> {
    const state = await openTestStore();
    return new Stream(state, viewOf(mode), await state.dictionary.ensureSource('events'));
  }

  private constructor(state: StateStore, view: FeatureView, sourceId: number) {
    this.state = state;
    this.#view = view;
    this.#sourceId = sourceId;
  }

  /** Forgets what is in memory; `cachedBlocksMax` is how much of it the next may have. */
  async restart(cachedBlocksMax: number): Promise<void> {
    const { state } = this;
    const layout = rowLayout(COLUMNS);
    this.#upserter = await createUpserter({
      state,
      view: this.#view,
      sourceId: this.#sourceId,
      layout,
      partitions: 1,
      cachedBlocksMax,
    });
  }

  /** Batches of rows in one write. */
  async write(batches: readonly (readonly StreamRow[])[]): Promise<WindowResult[]> {
    const into = new KvBatch();
    const results: WindowResult[] = [];
    for (const rows of batches.filter(({ length }) => length > 0)) {
      const origin = {
        partition: 0,
        rank: RANK_STREAM,
        lateByUs: Float64Array.from(rows, ({ lateByUs }) => lateByUs),
        streamTimeUs: rows.at(-1)!.streamTimeUs,
      } as const;
      const upserted = await this.#upserter!.upsert(
        makeRows(COLUMNS, rows.map(fieldsOf)),
        origin,
        into,
      );
      results.push(...(upserted.results ?? []));
    }
    await this.state.kv.write(into);
    return results;
  }

  async timers(): Promise<number> {
    const viewId = this.state.dictionary.viewId('sent') as number;
    let found = 0;
    const range = viewRange(this.#sourceId, 0, SPACE.timer, viewId);
    for await (const page of this.state.kv.scan(range)) found += page.length;
    return found;
  }

  /** As a replay in place does before it reads the topic again. */
  async clear(): Promise<void> {
    const viewId = this.state.dictionary.viewId('sent') as number;
    const batch = new KvBatch();
    for (const space of [SPACE.head, SPACE.tiles, SPACE.timer]) {
      const { gte, lt } = viewRange(this.#sourceId, 0, space, viewId);
      batch.deleteRange(gte, lt);
    }
    await this.state.kv.write(batch);
  }
}

/** All windows of all keys with the time at which each is closed. */
function naiveResults(rows: readonly StreamRow[]): { text: Text; closesUs: number }[] {
  return KEYS.flatMap((key) => {
    const mine = rows.filter((row) => row.key === key);
    return WINDOWS.flatMap((window, w) =>
      window.kind === 'session'
        ? naiveSessions(mine, window.gapUs).map((inside) => ({
            text: textOfRows(key, w, inside[0]!.at, inside.at(-1)!.at, inside),
            // Closed when stream time less the grace is past this.
            closesUs: inside.at(-1)!.at + 2 * window.gapUs + 1,
          }))
        : naiveAligned(key, w, window, mine),
    );
  });
}

function naiveSessions(rows: readonly StreamRow[], gapUs: number): StreamRow[][] {
  const counting = rows.filter(({ lateByUs }) => lateByUs <= GRACE_US + gapUs);
  const sessions: StreamRow[][] = [];
  for (const row of counting.sort((a, b) => a.at - b.at)) {
    const last = sessions.at(-1);
    if (last !== undefined && row.at - last.at(-1)!.at <= gapUs) last.push(row);
    else sessions.push([row]);
  }
  return sessions;
}

function naiveAligned(
  key: string,
  w: number,
  { sizeUs, everyUs, offsetUs }: Extract<WindowSpec, { kind: 'tumbling' | 'hopping' }>,
  rows: readonly StreamRow[],
): { text: Text; closesUs: number }[] {
  const starts = new Set<number>();
  for (const { at } of rows) {
    const newest = Math.floor((at - offsetUs) / everyUs) * everyUs + offsetUs;
    for (let start = newest; start + sizeUs > at; start -= everyUs) starts.add(start);
  }
  return [...starts].flatMap((start) => {
    const end = start + sizeUs;
    const inside = rows.filter(
      ({ at, lateByUs }) => at >= start && at < end && end > at + lateByUs - GRACE_US,
    );
    if (inside.length === 0) return [];
    return [{ text: textOfRows(key, w, start, end, inside), closesUs: end }];
  });
}

function textOfRows(
  key: string,
  w: number,
  startUs: number,
  endUs: number,
  inside: readonly StreamRow[],
): Text {
  const numbers = inside.map(({ values }) => values['n'] as number | null);
  const present = numbers.filter((n) => n !== null);
  const total = present.length === 0 ? null : present.reduce((a, b) => a + b, 0);
  return [key, WINDOWS[w]!.label, startUs, endUs, inside.length, total].join(' ');
}

function textOf({ keys, label, startUs, endUs, values }: WindowResult): Text {
  const [rows, total] = [...values.values()];
  return [keys[0], label, startUs, endUs, String(rows), total === null ? null : String(total)]
    .map((part) => part ?? '')
    .join(' ');
}

const textsOf = (results: readonly WindowResult[]): Text[] => results.map(textOf).sort();

describe('results of windows', () => {
  it.each(seeds(6))(
    'are sent once each, when closed, however the stream is cut, seed %i',
    async (seed) => {
      const rows = generateStream({ seed, count: 400 });
      const closedUs = rows.at(-1)!.streamTimeUs - GRACE_US;
      const want = naiveResults(rows).filter(({ closesUs }) => closesUs <= closedUs);
      expect(want.length).toBeGreaterThan(50);
      for (const rowsMax of [1, 9, 70, 400]) {
        const random = generator(seed * 1_000 + rowsMax);
        const stream = await Stream.open();
        await stream.restart(4);
        const sent: WindowResult[] = [];
        for (let from = 0; from < rows.length; ) {
          if (random() < 0.2) await stream.restart(1 + Math.floor(random() * 20));
          const batch = rows.slice(from, from + 1 + Math.floor(random() * rowsMax));
          const cut = random() < 0.5 ? batch.length : Math.floor(random() * batch.length);
          const third = Math.floor((cut + batch.length) / 2);
          sent.push(
            ...(await stream.write([
              batch.slice(0, cut),
              batch.slice(cut, third),
              batch.slice(third),
            ])),
          );
          from += batch.length;
        }
        expect(sent.every(({ isFinal }) => isFinal)).toBe(true);
        expect(textsOf(sent), `at most ${rowsMax} rows a batch`).toEqual(
          want.map(({ text }) => text).sort(),
        );
      }
    },
  );

  it.each(seeds(3))('say from when they could be known, seed %i', async (seed) => {
    const rows = generateStream({ seed, count: 200 });
    const stream = await Stream.open();
    await stream.restart(100);
    for (const row of rows) {
      for (const { availableAtUs } of await stream.write([[row]])) {
        expect(availableAtUs).toBeLessThanOrEqual(row.streamTimeUs);
      }
    }
  });

  it.each(seeds(3))(
    'are sent with each change where updates are asked for, seed %i',
    async (seed) => {
      const rows = generateStream({ seed, count: 300 });
      const random = generator(seed);
      const stream = await Stream.open('updates');
      await stream.restart(8);
      const finals: WindowResult[] = [];
      for (let from = 0; from < rows.length; ) {
        const batch = rows.slice(from, from + 1 + Math.floor(random() * 20));
        from += batch.length;
        const sent = await stream.write([batch]);
        finals.push(...sent.filter(({ isFinal }) => isFinal));
        const closedUs = batch.at(-1)!.streamTimeUs - GRACE_US;
        const open = naiveResults(rows.slice(0, from)).filter(
          ({ closesUs }) => closesUs > closedUs,
        );
        const updates = textsOf(sent.filter(({ isFinal }) => !isFinal));
        expect(updates).toEqual(
          open
            .map(({ text }) => text)
            .filter((text) => isTouched(text, batch))
            .sort(),
        );
      }
      const closedUs = rows.at(-1)!.streamTimeUs - GRACE_US;
      const want = naiveResults(rows).filter(({ closesUs }) => closesUs <= closedUs);
      expect(textsOf(finals)).toEqual(want.map(({ text }) => text).sort());
    },
  );

  it('are not sent again when the topic is read again, and go on after it', async () => {
    const rows = generateStream({ seed: 3, count: 300 });
    const stream = await Stream.open();
    await stream.restart(50);
    const first = await stream.write([rows.slice(0, 200)]);
    await stream.clear();
    await stream.restart(50);
    expect(await stream.write([rows.slice(0, 100), rows.slice(100, 200)])).toEqual([]);
    const rest = await stream.write([rows.slice(200)]);
    const closedUs = rows.at(-1)!.streamTimeUs - GRACE_US;
    const want = naiveResults(rows).filter(({ closesUs }) => closesUs <= closedUs);
    expect(textsOf([...first, ...rest])).toEqual(want.map(({ text }) => text).sort());
  });

  it('of sessions leave no timer behind once all were sent', async () => {
    const rows = generateStream({ seed: 4, count: 300 });
    const stream = await Stream.open();
    await stream.restart(5);
    for (let from = 0; from < rows.length; from += 10)
      await stream.write([rows.slice(from, from + 10)]);
    const entities = new Set(rows.map(({ key }) => key)).size;
    // One for each entity and group of sessions, and few that a late row set earlier.
    expect(await stream.timers()).toBeLessThanOrEqual(2 * 2 * entities);
    const last = rows.at(-1) as StreamRow;
    const later = { ...last, at: last.at + 1e12, lateByUs: 0, streamTimeUs: last.at + 1e12 - 2e6 };
    await stream.write([[{ ...later, offset: last.offset + 1 }]]);
    expect(await stream.timers()).toBe(2);
  });
});

/** Whether a row of the batch is in the window that a text tells of, and counts there. */
function isTouched(text: Text, batch: readonly StreamRow[]): boolean {
  const [key, label, startUs, endUs] = text.split(' ');
  const window = WINDOWS.find((candidate) => candidate.label === label) as WindowSpec;
  return batch.some((row) => {
    if (row.key !== key || row.at < Number(startUs)) return false;
    if (window.kind === 'session') {
      return row.at <= Number(endUs) && row.lateByUs <= GRACE_US + window.gapUs;
    }
    return row.at < Number(endUs) && Number(endUs) > row.at + row.lateByUs - GRACE_US;
  });
}
