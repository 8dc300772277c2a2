/**
 * Feast's own tests, restated as data (`cases/README.md`), through Freshet's public interface.
 * Cases that Freshet answers differently on purpose are in `differences.ts`; there is no other way
 * to leave one out.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toTimestampUs } from '../../src/core/time.ts';
import { FreshetError } from '../../src/errors.ts';
import { type FeatureStore, openFeatureStore } from '../../src/index.ts';
import { aggregateRows } from './aggregate-rows.ts';
import { differences } from './differences.ts';
import { buildFixture, type FeastCase, type Fixture } from './feast-fixture.ts';

type Row = Readonly<Record<string, unknown>>;

const folder = process.env['FRESHET_CASES'] ?? fileURLToPath(new URL('./cases', import.meta.url));
const file = join(folder, 'feast-cases.json');
const cases: FeastCase[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];

describe.skipIf(cases.length === 0)('Feast cases', () => {
  let directory: string;
  let store: FeatureStore;
  let fixture: Fixture;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'freshet-case-'));
  });

  afterEach(async () => {
    await store?.close();
    await rm(directory, { recursive: true, force: true });
  });

  for (const feastCase of cases) {
    const difference = differences[feastCase.id];
    if (difference !== undefined) {
      it.skip(`${feastCase.id}: ${difference}`);
      continue;
    }
    it(feastCase.id, async () => {
      fixture = await buildFixture(feastCase, directory);
      store = await openFeatureStore({
        directory,
        definitions: fixture.definitions,
        clock: fixture.clock,
        config: { onlineStore: { binding: 'memory' } },
      });
      await store.apply();
      if (feastCase.kind === 'pit') await runHistorical(feastCase);
      else await runSteps(feastCase);
    });
  }

  async function runHistorical({ request, expected }: FeastCase): Promise<void> {
    const timeColumns = (request['entity_timestamp_columns'] as string[]) ?? ['event_timestamp'];
    const entityRows = (request['entity_df'] as Row[] | null)?.map((row) =>
      mapValues(row, (value, name) =>
        timeColumns.includes(name) ? new Date(value as string) : value,
      ),
    );
    const attempt = async (): Promise<void> => {
      const features = await store.getHistoricalFeatures({
        ...featuresOf(request),
        ...(entityRows && { entityRows }),
        ...(request['start_date'] != null && { startTime: request['start_date'] as string }),
        ...(request['end_date'] != null && { endTime: request['end_date'] as string }),
        ...(request['filter_by_created_timestamp'] === true && { knownAt: 'arrival' as const }),
      });
      const rows = (await features.toArray()).map((row) => comparable(row as Row));
      checkHistorical(rows, expected, timeColumns);
      const metadata = expected['metadata'] as Record<string, string> | undefined;
      if (metadata?.['min_event_timestamp'] !== undefined) {
        expect(features.metadata.minEventTimestampUs).toBe(
          toTimestampUs(metadata['min_event_timestamp']),
        );
      }
      if (metadata?.['max_event_timestamp'] !== undefined) {
        expect(features.metadata.maxEventTimestampUs).toBe(
          toTimestampUs(metadata['max_event_timestamp']),
        );
      }
    };
    await expectOutcome(attempt, expected);
  }

  async function runSteps({ request, expected }: FeastCase): Promise<void> {
    const steps = request['steps'] as Row[];
    const outcomes = expected['steps'] as (Row | null)[];
    for (const [i, step] of steps.entries()) {
      const outcome = outcomes[i] ?? {};
      await expectOutcome(() => runStep(step, outcome), outcome);
    }
  }

  async function runStep(step: Row, outcome: Row): Promise<void> {
    switch (step['op']) {
      case 'get_online_features':
        return checkOnline(step, outcome);
      case 'write_online':
        return store.writeToOnlineStore(step['feature_view'] as string, step['rows'] as Row[]);
      case 'push':
        await store.push(step['push_source'] as string, step['rows'] as Row[]);
        return;
      case 'materialize':
        await store.materialize({
          startTime: step['start'] as string,
          endTime: step['end'] as string,
          ...(step['feature_views'] != null && { views: step['feature_views'] as string[] }),
        });
        return;
      case 'materialize_incremental':
        await store.materializeIncremental({
          endTime: step['end'] as string,
          ...(step['feature_views'] != null && { views: step['feature_views'] as string[] }),
        });
        return;
      case 'materialization_intervals': {
        const intervals = await store.materializationIntervals(step['feature_view'] as string);
        const want = (outcome['intervals'] as [string, string][] | undefined)?.map((pair) =>
          pair.map((time) => toTimestampUs(time)),
        );
        if (want) expect(intervals.map(({ startUs, endUs }) => [startUs, endUs])).toEqual(want);
        return;
      }
      case 'pull_all': {
        const rows = await store.readSourceRows({
          view: step['feature_view'] as string,
          startTime: step['start'] as string,
          endTime: step['end'] as string,
        });
        if (outcome['row_count'] !== undefined)
          expect(rows).toHaveLength(outcome['row_count'] as number);
        return;
      }
      case 'delete_feature_view':
        return store.deleteFeatureView(step['name'] as string);
      case 'apply_feature_view':
        await store.apply();
        return;
      case 'aggregate_rows':
        return checkAggregates(step, outcome);
      case 'advance_clock':
        return fixture.clock.advance((step['seconds'] as number) * 1_000);
      default:
        throw new Error(`the case has an operation that this runner does not know: ${step['op']}`);
    }
  }

  async function checkOnline(step: Row, outcome: Row): Promise<void> {
    const answer = await store.getOnlineFeatures({
      ...featuresOf(step),
      entityRows: step['entity_rows'] as Row[],
    });
    const columns = answer.toColumns();
    const values = (outcome['values'] ?? {}) as Record<string, unknown[]>;
    for (const [name, want] of Object.entries(values)) {
      expectClose(comparable(columns.values[name]), comparable(want), name);
    }
    if (outcome['exact_columns'] === true) {
      expect(Object.keys(columns.values).sort()).toEqual(Object.keys(values).sort());
    }
    for (const [name, want] of Object.entries((outcome['statuses'] ?? {}) as Row)) {
      expect(columns.statuses[name], name).toEqual(want);
    }
    const times = (outcome['event_timestamps'] ?? {}) as Record<string, (string | null)[]>;
    for (const [name, want] of Object.entries(times)) {
      const wantUs = want.map((time) => (time === null ? null : toTimestampUs(time)));
      expect(columns.eventTimestamps[name], name).toEqual(wantUs);
    }
  }
});

async function checkAggregates(step: Row, outcome: Row): Promise<void> {
  const got = await aggregateRows(step);
  const want = outcome['columns'] as Row;
  expect(Object.keys(got)).toEqual(Object.keys(want));
  for (const [name, values] of Object.entries(want)) {
    expectClose(comparable(got[name]), values, name);
  }
}

function featuresOf(request: Row): { features: string[]; fullFeatureNames: boolean } | never {
  const fullFeatureNames = request['full_feature_names'] === true;
  const service = request['feature_service'] as string | undefined;
  if (service !== undefined) return { service, fullFeatureNames } as never;
  return { features: request['features'] as string[], fullFeatureNames };
}

async function expectOutcome(attempt: () => Promise<void>, expected: Row): Promise<void> {
  if (expected['error'] === undefined) return attempt();
  const error = await attempt().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FreshetError);
  expect((error as FreshetError).code).toBe(expected['error']);
  for (const text of (expected['message_contains'] as string[]) ?? []) {
    expect((error as FreshetError).message).toContain(text);
  }
}

function checkHistorical(rows: unknown[], expected: Row, timeColumns: readonly string[]): void {
  const want = expected['rows'] as Row[] | undefined;
  if (want !== undefined) {
    const wanted = want.map((row) => comparable(withTimes(row, timeColumns)));
    const [a, b] =
      expected['row_order'] === 'any' ? [sorted(rows, want), sorted(wanted, want)] : [rows, wanted];
    expect(a).toHaveLength(b.length);
    for (const [i, row] of b.entries()) {
      for (const [name, value] of Object.entries(row as Row)) {
        expectClose((a[i] as Row)[name], value, `row ${i}, ${name}`);
      }
    }
  }
  const contains = (row: Row): boolean =>
    rows.some((found) =>
      Object.entries(row).every(([k, v]) => isClose((found as Row)[k], comparable(v))),
    );
  for (const row of (expected['must_contain'] as Row[]) ?? [])
    expect(contains(row), JSON.stringify(row)).toBe(true);
  for (const row of (expected['must_not_contain'] as Row[]) ?? [])
    expect(contains(row), JSON.stringify(row)).toBe(false);
  const any = expected['must_contain_any'] as Row[] | undefined;
  if (any) expect(any.some(contains)).toBe(true);
  for (const [name, values] of Object.entries(
    (expected['distinct'] ?? {}) as Record<string, unknown[]>,
  )) {
    expect([...new Set(rows.map((row) => (row as Row)[name]))].sort()).toEqual(values);
  }
  for (const name of (expected['absent_columns'] as string[]) ?? []) {
    for (const row of rows) expect(Object.keys(row as Row)).not.toContain(name);
  }
}

/** Rows ordered by the columns that the case names, so that unordered results compare. */
function sorted(rows: unknown[], want: readonly Row[]): unknown[] {
  const names = [...new Set(want.flatMap((row) => Object.keys(row)))].sort();
  const text = (row: unknown): string =>
    JSON.stringify(names.map((name) => round((row as Row)[name] ?? null)));
  return [...rows].sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function round(value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}

function withTimes(row: Row, timeColumns: readonly string[]): Row {
  return mapValues(row, (value, name) =>
    timeColumns.includes(name) && typeof value === 'string' ? toTimestampUs(value) : value,
  );
}

/** Whole numbers of 64 bits as numbers, as JSON has them. */
function comparable(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (value !== null && typeof value === 'object' && !(value instanceof Uint8Array)) {
    return mapValues(value as Row, comparable);
  }
  return value;
}

function expectClose(got: unknown, want: unknown, what: string): void {
  expect(
    isClose(got, want),
    `${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`,
  ).toBe(true);
}

function isClose(got: unknown, want: unknown): boolean {
  if (Array.isArray(want)) {
    return (
      Array.isArray(got) && got.length === want.length && want.every((w, i) => isClose(got[i], w))
    );
  }
  if (typeof want === 'number' && typeof got === 'number') {
    return Math.abs(got - want) <= 1e-5 * Math.max(1, Math.abs(want));
  }
  return (got ?? null) === (want ?? null);
}

function mapValues(row: Row, map: (value: unknown, name: string) => unknown): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, map(value, name)]));
}
