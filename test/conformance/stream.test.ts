/**
 * What a stream of events does to windows in Kafka Streams and Quix Streams, restated as data
 * (`cases/README.md`). Events go through the topic and the engine one by one. An update is the value
 * of a window after its event, a final value the last one before the window closes and, joined from
 * the segments, the one of ever after; a row that is dropped changes no window.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { differences } from './differences.ts';
import {
  expectedOf,
  graceMsOf,
  isClosed,
  isSameValue,
  type Outcome,
  requireKnown,
  type StreamCase,
  type StreamEvent,
  specOf,
  startsAt,
  windowValue,
} from './stream-cases.ts';
import { type Values, WindowWorld } from './window-world.ts';

const folder = process.env['FRESHET_CASES'] ?? fileURLToPath(new URL('./cases', import.meta.url));
const file = join(folder, 'stream-cases.json');
const cases: StreamCase[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];

describe.skipIf(cases.length === 0)('Stream cases', () => {
  for (const streamCase of cases) {
    const difference = differences[streamCase.id];
    if (difference !== undefined) {
      it.skip(`${streamCase.id}: ${difference}`);
      continue;
    }
    it(streamCase.id, async () => {
      requireKnown(streamCase);
      await using world = await WindowWorld.open(specOf(streamCase));
      await new CaseRun(streamCase, world).run();
    });
  }
});

class CaseRun {
  readonly #case: StreamCase;
  readonly #world: WindowWorld;
  /** Updates and retractions by the event that causes them. */
  readonly #caused: readonly (readonly Outcome[])[];
  readonly #inOrder: boolean;
  readonly #asserted: (event: number) => boolean;

  constructor(streamCase: StreamCase, world: WindowWorld) {
    this.#case = streamCase;
    this.#world = world;
    const { events, order, emit, expected } = streamCase;
    this.#caused = causedBy(streamCase);
    this.#inOrder = events.every(
      (e, i) => i === 0 || (events[i - 1] as StreamEvent).ts_ms <= e.ts_ms,
    );
    const saysAll = (order === 'exact' || order === 'per_event_exact') && emit !== 'assignment';
    const hasUpdates = emit === 'on_update' || expected.some(({ op }) => op === 'update');
    // Where only some events are asserted, the others may cause anything.
    this.#asserted = (i) =>
      hasUpdates && (saysAll || expected.some(({ after_event }) => after_event === i));
  }

  async run(): Promise<void> {
    const { events, expected } = this.#case;
    const finals = expected.filter(({ op }) => op === 'final');
    for (const [i, event] of events.entries()) {
      for (const final of finals.filter((f) => this.#closingEvent(f) === i)) {
        await this.#check(final, 'before it closes');
      }
      const before = await this.#unchanged(event, i);
      await this.#world.append(
        [{ key: event.key, ts: event.ts_ms * 1_000, value: event.value }],
        event.ts_ms,
      );
      for (const { outcome, value } of before) {
        const after = await this.#read(outcome);
        this.#expectSame(after, value, outcome, `which event ${i} does not change`);
      }
      for (const outcome of this.#caused[i] ?? []) await this.#checkCaused(outcome, i);
      for (const outcome of expected) {
        if (outcome.op === 'state' && outcome.after_event === i)
          await this.#check(outcome, 'state');
      }
    }
    await this.#checkJoined();
  }

  /** Windows that an event must leave as they are, with their values. */
  async #unchanged(event: StreamEvent, i: number): Promise<{ outcome: Outcome; value: unknown }[]> {
    const { expected, window } = this.#case;
    const dropped = expected.filter((o) => o.op === 'dropped' && o.after_event === i);
    const found = new Map(dropped.map((outcome) => [outcome.start_ms, outcome]));
    for (const { event_ts_ms, key } of dropped) {
      expect([event_ts_ms, key], `event ${i}`).toEqual([event.ts_ms, event.key]);
    }
    if (this.#asserted(i)) {
      const changed = new Set((this.#caused[i] ?? []).map(({ start_ms }) => start_ms));
      for (const outcome of this.#windowsOf(event, i)) {
        if (!changed.has(outcome.start_ms)) found.set(outcome.start_ms, outcome);
      }
    } else if (this.#case.emit === 'assignment') {
      const assigned = expected.map(({ start_ms }) => start_ms);
      expect(startsAt(window, event.ts_ms), `windows of ${event.ts_ms}`).toEqual(assigned);
    }
    const read = [...found.values()].map(async (outcome) => {
      return { outcome, value: await this.#read(outcome) };
    });
    return Promise.all(read);
  }

  /** Windows at an event's time; of those that rows begin and end, only if the event is late. */
  #windowsOf({ key, ts_ms }: StreamEvent, i: number): Outcome[] {
    const { window } = this.#case;
    const { size_ms, type } = window;
    const at = (start_ms: number, end_ms: number): Outcome => ({ op: '', key, start_ms, end_ms });
    if (type === 'tumbling' || type === 'hopping') {
      return startsAt(window, ts_ms).map((start) => at(start, start + size_ms));
    }
    const isLate = this.#streamTimeMs(i) - ts_ms > graceMsOf(this.#case);
    if (type !== 'sliding' || !isLate) return [];
    return [at(ts_ms - size_ms, ts_ms)];
  }

  async #checkCaused(outcome: Outcome, event: number): Promise<void> {
    if (outcome.op !== 'retract') {
      await this.#check(outcome, `after event ${event}`);
      return;
    }
    const { key, start_ms, end_ms } = outcome;
    const replaced = (this.#caused[event] ?? []).some(
      (other) => other.op === 'update' && other.start_ms === start_ms && other.end_ms === end_ms,
    );
    const { first_ts, last_ts } = await this.#world.online(key, end_ms * 1_000);
    const isThere = Number(first_ts) === start_ms * 1_000 && Number(last_ts) === end_ms * 1_000;
    expect(isThere, `session ${start_ms} to ${end_ms} after event ${event}`).toBe(replaced);
  }

  /** What the segments give for every window whose value stays: the final values of ever after. */
  async #checkJoined(): Promise<void> {
    const { window, expected, events } = this.#case;
    const listed = expected.filter(({ op, after_event }) => {
      // A late row counts in a window of now, and so in a label before it: only a reader knew better.
      if (op === 'final') return window.type !== 'sliding' || this.#inOrder;
      return op === 'state' && after_event === undefined;
    });
    const joined = await this.#world.historical(
      listed.map(({ key, end_ms }) => ({ key, atUs: end_ms * 1_000 })),
    );
    for (const [i, outcome] of listed.entries()) {
      this.#checkValue(joined[i] as Values, outcome, 'joined');
    }
    if (this.#case.emit !== 'on_close' || window.type === 'sliding') return;
    const finals = expected.filter(({ op }) => op === 'final');
    const name = ({ key, start_ms, end_ms }: Outcome): string => `${key} ${start_ms} ${end_ms}`;
    const known = new Set(finals.map(name));
    for (const [i, event] of events.entries()) {
      for (const outcome of this.#windowsOf(event, i)) {
        const closed = isClosed(window, outcome.end_ms, this.#streamTimeMs(events.length - 1));
        if (!closed || known.has(name(outcome))) continue;
        const [none] = await this.#world.historical([
          { key: outcome.key, atUs: outcome.end_ms * 1_000 },
        ]);
        this.#expectSame(
          windowValue(this.#case, none as Values),
          null,
          outcome,
          'which is not final',
        );
      }
    }
  }

  async #check(outcome: Outcome, when: string): Promise<void> {
    const features = await this.#world.online(outcome.key, outcome.end_ms * 1_000);
    this.#checkValue(features, outcome, when);
  }

  #checkValue(features: Values, outcome: Outcome, when: string): void {
    const want = expectedOf(this.#case, outcome);
    this.#expectSame(windowValue(this.#case, features), want, outcome, when);
    if (this.#case.window.type !== 'session') return;
    const bounds = [Number(features['first_ts']) / 1_000, Number(features['last_ts']) / 1_000];
    expect(bounds, `bounds ${when}`).toEqual([outcome.start_ms, outcome.end_ms]);
  }

  async #read({ key, end_ms }: Outcome): Promise<unknown> {
    return windowValue(this.#case, await this.#world.online(key, end_ms * 1_000));
  }

  /** The event that closes a window; the case may name a later one, where time is kept by key. */
  #closingEvent(final: Outcome): number {
    const { events, window } = this.#case;
    // A window is closed by what comes after its first row.
    const first = events.findIndex(
      ({ key, ts_ms }) => key === final.key && ts_ms >= final.start_ms && ts_ms <= final.end_ms,
    );
    const closes = (_: StreamEvent, i: number): boolean =>
      i > first && isClosed(window, final.end_ms, this.#streamTimeMs(i));
    const closing = events.findIndex(closes);
    const what = `the event that closes ${final.start_ms} to ${final.end_ms}`;
    expect(closing, what).toBeGreaterThan(-1);
    if (final.after_event !== undefined) {
      expect(closing, what).toBeLessThanOrEqual(final.after_event);
    }
    return closing;
  }

  #streamTimeMs(event: number): number {
    return Math.max(...this.#case.events.slice(0, event + 1).map(({ ts_ms }) => ts_ms));
  }

  #expectSame(got: unknown, want: unknown, { key, start_ms, end_ms }: Outcome, when: string): void {
    const text = JSON.stringify({ got, want });
    const what = `window ${start_ms} to ${end_ms} of ${key}, ${when}: ${text}`;
    expect(isSameValue(got, want, this.#inOrder), what).toBe(true);
  }
}

/** Outcomes by event: named by the case, or the next in order that the event can have caused. */
function causedBy({ events, expected, window }: StreamCase): Outcome[][] {
  const queue = expected.filter(({ op }) => op === 'update' || op === 'retract' || op === 'assign');
  const named = queue.filter(({ after_event }) => after_event !== undefined);
  const left = queue.filter(({ after_event }) => after_event === undefined);
  const caused = events.map((event, i): Outcome[] => {
    const mine = named.filter(({ after_event }) => after_event === i);
    const updated = new Set<number>();
    for (;;) {
      const [next] = left;
      if (next === undefined || !canCause(event, next, window)) break;
      const isDone = window.type === 'session' ? updated.size > 0 : updated.has(next.start_ms);
      if (isDone) break;
      if (next.op !== 'retract') updated.add(next.start_ms);
      mine.push(next);
      left.shift();
    }
    return mine;
  });
  expect(left, 'outcomes that no event caused').toEqual([]);
  return caused;
}

function canCause(
  { key, ts_ms }: StreamEvent,
  outcome: Outcome,
  { type, gap_ms = 0 }: StreamCase['window'],
): boolean {
  if (outcome.key !== key) return false;
  const { start_ms, end_ms, op } = outcome;
  if (op === 'retract') return ts_ms >= start_ms - gap_ms && ts_ms <= end_ms + gap_ms;
  const isOpen = type === 'tumbling' || type === 'hopping';
  return ts_ms >= start_ms && (isOpen ? ts_ms < end_ms : ts_ms <= end_ms);
}
