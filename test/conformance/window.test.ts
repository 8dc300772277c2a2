/**
 * Windows and aggregations of Chronon and OpenMLDB, restated as data (`cases/README.md`): rows go
 * through the topic and the engine, and every answer is read online and, where the case has no
 * order of arrival of its own, joined from the segments, too.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { differences } from './differences.ts';
import {
  type CasePlan,
  planCase,
  rangeOf,
  unknown,
  type WindowCase,
  type WindowEvent,
  type WindowQuery,
} from './window-cases.ts';
import { type Label, type Values, WindowWorld } from './window-world.ts';

const folder = process.env['FRESHET_CASES'] ?? fileURLToPath(new URL('./cases', import.meta.url));
const file = join(folder, 'window-cases.json');
const cases: WindowCase[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
/** No row of these cases is late. */
const GRACE_MS = 3_650 * 86_400_000;

describe.skipIf(cases.length === 0)('Window cases', () => {
  for (const windowCase of cases) {
    const difference = differences[windowCase.id];
    if (difference !== undefined) {
      it.skip(`${windowCase.id}: ${difference}`);
      continue;
    }
    it(windowCase.id, async () => {
      const plan = planCase(windowCase);
      const nowMs = Math.min(...windowCase.events.map(arrivalMs));
      await using world = await WindowWorld.open({ ...plan.spec, graceMs: GRACE_MS, nowMs });
      const run = new CaseRun(windowCase, plan, world);
      if (windowCase.queries.some(({ at_event }) => at_event !== undefined)) await run.atEvents();
      else await run.atTimes();
    });
  }
});

class CaseRun {
  readonly #case: WindowCase;
  readonly #plan: CasePlan;
  readonly #world: WindowWorld;

  constructor(windowCase: WindowCase, plan: CasePlan, world: WindowWorld) {
    this.#case = windowCase;
    this.#plan = plan;
    this.#world = world;
  }

  /** Each query at its time, when the rows that were visible by then have come. */
  async atTimes(): Promise<void> {
    const { events, queries } = this.#case;
    const left = [...events].sort((a, b) => arrivalMs(a) - arrivalMs(b));
    const inTime = [...queries].sort((a, b) => a.ts_ms - b.ts_ms);
    const newestMs = Math.max(...events.map(arrivalMs));
    for (const query of inTime) {
      const isLast = query.ts_ms > newestMs;
      while (left[0] !== undefined && (isLast || visibleMs(left[0]) < query.ts_ms)) {
        await this.#append(left.shift() as WindowEvent);
      }
      this.#check(query, await this.#world.online(query.key, query.ts_ms * 1_000), 'online');
    }
    for (const event of left) await this.#append(event);
    const isBitemporal = events.some(({ visible_from_ms }) => visible_from_ms !== undefined);
    const options = isBitemporal ? ({ knownAt: 'arrival', strictlyBefore: true } as const) : {};
    const labels = queries.map(({ key, ts_ms }) => ({ key, atUs: ts_ms * 1_000 }));
    const joined = await this.#world.historical(labels, options);
    for (const [i, query] of queries.entries()) this.#check(query, joined[i] as Values, 'joined');
  }

  /** A query at each event, when it has come: or, of rows that are all there first, joined. */
  async atEvents(): Promise<void> {
    const { events, mode, window } = this.#case;
    if (mode !== undefined && mode !== 'batch' && mode !== 'request') throw unknown('mode', mode);
    const exclude = window['exclude'] ?? null;
    if (exclude !== null && exclude !== 'current_row') throw unknown('exclusion', String(exclude));
    const before = new Map<string, Values[]>();
    for (const [i, event] of events.entries()) {
      const query = this.#queryOf(i);
      if (exclude !== null) this.#check(query, await this.#online(query), 'online');
      await this.#append(event);
      const values = [...(before.get(event.key) ?? []), await this.#online(query)];
      before.set(event.key, values);
      if (exclude !== null || mode === 'batch') continue;
      this.#check(query, values.at(-1 - rowsBehind(window)) ?? null, 'online');
    }
    if (exclude === null && (mode === 'batch' || (mode === undefined && rises(events)))) {
      await this.#joinAtEvents();
    }
  }

  async #joinAtEvents(): Promise<void> {
    const { events, window } = this.#case;
    const asked = events.flatMap((event, i): { query: WindowQuery; label: Label }[] => {
      const query = this.#queryOf(i);
      if (window.type !== 'rows') return [{ query, label: this.#labelOf(query) }];
      const earlier = events.slice(0, i + 1).filter(({ key }) => key === event.key);
      const frame = earlier.at(-1 - rowsBehind(window));
      return frame === undefined
        ? []
        : [{ query, label: { key: event.key, atUs: frame.ts_ms * 1_000 } }];
    });
    const joined = await this.#world.historical(asked.map(({ label }) => label));
    for (const [i, { query }] of asked.entries()) this.#check(query, joined[i] ?? null, 'joined');
  }

  #queryOf(event: number): WindowQuery {
    const found = this.#case.queries.filter(({ at_event }) => at_event === event);
    if (found.length !== 1) throw unknown('number of queries at event', String(event));
    return found[0] as WindowQuery;
  }

  #labelOf({ key, ts_ms }: WindowQuery): Label {
    const { window } = this.#case;
    const headMs = window.type === 'range' ? ts_ms + rangeOf(window).highMs : ts_ms;
    return { key, atUs: headMs * 1_000 };
  }

  #online(query: WindowQuery): Promise<Values> {
    const { key, atUs } = this.#labelOf(query);
    return this.#world.online(key, atUs);
  }

  async #append(event: WindowEvent): Promise<void> {
    const rows = this.#plan.rowsOf(event);
    if (rows.length > 0) await this.#world.append(rows, arrivalMs(event));
  }

  #check(query: WindowQuery, features: Values | null, how: string): void {
    const got = features === null ? null : this.#plan.answer(features);
    const what = `${how} at ${query.ts_ms}: got ${text(got)}, want ${text(query.expected)}`;
    expect(isClose(got, query.expected, this.#case.tolerance ?? 1e-9), what).toBe(true);
  }
}

function visibleMs({ visible_from_ms, ts_ms }: WindowEvent): number {
  return visible_from_ms ?? ts_ms;
}

/** A row is visible after the time that the case names, to us from its arrival on. */
function arrivalMs(event: WindowEvent): number {
  return visibleMs(event) + 1;
}

/** How many of the newest rows are not in a frame. */
function rowsBehind(window: WindowCase['window']): number {
  return window.type === 'rows' ? (window['end_preceding_rows'] as number) : 0;
}

/** Whether rows come in the order of their times, without ties: then a label sees what a read saw. */
function rises(events: readonly WindowEvent[]): boolean {
  return events.every(({ key, ts_ms }, i) =>
    events.slice(0, i).every((earlier) => earlier.key !== key || earlier.ts_ms < ts_ms),
  );
}

function isClose(got: unknown, want: unknown, tolerance: number): boolean {
  if (want === 'NaN') return Number.isNaN(got);
  if (typeof got === 'bigint') return isClose(Number(got), want, tolerance);
  if (typeof want === 'number' && typeof got === 'number') {
    return Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want));
  }
  if (typeof want === 'object' && typeof got === 'object' && want !== null && got !== null) {
    const [a, b] = [got as Values, want as Values];
    const keys = Object.keys(b);
    return (
      Object.keys(a).length === keys.length && keys.every((k) => isClose(a[k], b[k], tolerance))
    );
  }
  return (got ?? null) === want;
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? Number(v) : v)) ?? 'nothing';
}
