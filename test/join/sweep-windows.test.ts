/** Windowed views joined: each label against the naive oracle, and against rows it must not see. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldValue } from '../../src/core/field-type.ts';
import type { Windowing } from '../../src/definition/index.ts';
import { naiveWindows } from '../oracle/naive-windows.ts';
import {
  COLUMNS,
  differing,
  everyWindow,
  GRACE_US,
  generateStream,
  generator,
  KEYS,
  naiveRow,
  type StreamRow,
  seeds,
} from '../window/streams.ts';
import { type JoinFixture, openJoinFixture, streamRelation } from './fixture.ts';

const view = everyWindow({ keyed: false, partitions: 2 });
const { aggregations } = view.windowing as Windowing;

interface Label {
  readonly key: string | null;
  readonly atUs: number;
}

type Options = Readonly<{
  knownAt?: 'event' | 'arrival';
  late?: 'served' | 'include' | 'exclude';
  strictlyBefore?: boolean;
}>;

let world: JoinFixture;

beforeAll(async () => {
  world = await openJoinFixture();
});

afterAll(async () => {
  await world.close();
});

function sqlRow(row: StreamRow): string {
  const text = (value: unknown): string => (value === null ? 'NULL' : `'${String(value)}'`);
  const time = (us: number | null): string => (us === null ? 'NULL' : `make_timestamp(${us})`);
  const { n, x, s, ok } = row.values;
  return [
    ...[time(row.at), time(row.made), text(row.key), text(n), text(x), text(s), text(ok)],
    ...[row.partition, time(row.arrivalUs), row.lateByUs],
  ].join(', ');
}

async function joined(
  rows: readonly StreamRow[],
  labels: readonly Label[],
  options: Options = {},
): Promise<Record<string, FieldValue>[]> {
  const columns =
    'ts TIMESTAMP, made TIMESTAMP, key VARCHAR, n INTEGER, x DOUBLE, s VARCHAR, ok BOOLEAN';
  world.relations.set('events', [streamRelation(columns, rows.map(sqlRow), 'made')]);
  await using answer = await world.reader([view]).getHistoricalFeatures({
    features: [view],
    entityRows: labels.map(({ key, atUs }, label) => ({ label, key, event_timestamp: atUs })),
    ...options,
  } as never);
  return (await answer.toArray()) as never;
}

/** Labels at the times of rows, beside them and far behind them; of unknown entities, too. */
function labelsOf(rows: readonly StreamRow[], random: () => number, count: number): Label[] {
  return Array.from({ length: count }, () => {
    const row = rows[Math.floor(random() * rows.length)] as StreamRow;
    const besideUs = [0, -1, 1, Math.floor(random() * 5e7), Math.floor(random() * 9e10)];
    const keys = [...KEYS, row.key, row.key, 'nobody', null];
    return {
      key: keys[Math.floor(random() * keys.length)] as string | null,
      atUs: row.at + (besideUs[Math.floor(random() * 5)] as number),
    };
  });
}

/** What a label sees: rows that are known by its time. */
function naive(
  rows: readonly StreamRow[],
  { key, atUs }: Label,
  { knownAt = 'event', late = 'served', strictlyBefore = false }: Options,
): Record<string, FieldValue> | null {
  const qUs = strictlyBefore ? atUs - 1 : atUs;
  const knownUs = ({ at, arrivalUs }: StreamRow): number =>
    knownAt === 'arrival' ? Math.max(at, arrivalUs) : at;
  const known = rows
    .filter((row) => row.key === key && knownUs(row) <= qUs)
    .filter(({ lateByUs }) => late !== 'exclude' || lateByUs <= GRACE_US)
    .map((row) => naiveRow(late === 'include' ? { ...row, lateByUs: 0 } : row));
  return naiveWindows(aggregations, COLUMNS, known, GRACE_US, qUs);
}

const NOTHING = Object.fromEntries(Object.keys(view.schema).map((name) => [name, null]));

describe.each<{ options: Options }>([
  { options: {} },
  { options: { knownAt: 'arrival' } },
  { options: { late: 'exclude' } },
  { options: { late: 'include' } },
  { options: { strictlyBefore: true } },
  { options: { knownAt: 'arrival', late: 'include', strictlyBefore: true } },
])('a join of every window, $options', ({ options }) => {
  it.each(seeds(3))(
    'gives each label what the naive oracle gives, in the order of the labels, seed %i',
    async (seed) => {
      const rows = generateStream({ seed, count: 150, partitions: 2 });
      const labels = labelsOf(rows, generator(seed), 60);
      const answer = await joined(rows, labels, options);
      expect(answer.map(({ label }) => Number(label))).toEqual([...labels.keys()]);
      for (const [i, label] of labels.entries()) {
        const want = naive(rows, label, options) ?? NOTHING;
        expect(differing(answer[i] ?? null, want), `label ${i} ${JSON.stringify(label)}`).toEqual(
          {},
        );
      }
    },
  );
});

describe('a label', () => {
  it.each(seeds(4))(
    'never sees a row after its time, whatever comes then, seed %i',
    async (seed) => {
      const random = generator(seed);
      const rows = generateStream({ seed, count: 80, partitions: 2 });
      const middleUs = (rows[40] as StreamRow).at;
      const labels = labelsOf(rows, random, 40).filter(({ atUs }) => atUs <= middleUs);
      const before = await joined(
        rows.filter(({ at }) => at <= middleUs),
        labels,
      );
      const future = generateStream({ seed: seed + 99, count: 80, partitions: 2 }).map(
        (row, i) => ({
          ...row,
          at: middleUs + 1 + Math.floor(random() ** 4 * 1e9),
          lateByUs: Math.floor(random() ** 2 * 2e7),
          offset: 1_000 + i,
        }),
      );
      const after = await joined([...rows.filter(({ at }) => at <= middleUs), ...future], labels);
      expect(after).toEqual(before);
    },
  );

  it.each(seeds(4))(
    'never sees a row that came after its time, when arrival decides, seed %i',
    async (seed) => {
      const random = generator(seed);
      const rows = generateStream({ seed, count: 80, partitions: 2 });
      const middleUs = (rows[40] as StreamRow).arrivalUs;
      const labels = labelsOf(rows, random, 40).filter(({ atUs }) => atUs <= middleUs);
      const early = rows.filter(({ arrivalUs }) => arrivalUs <= middleUs);
      const before = await joined(early, labels, { knownAt: 'arrival' });
      const later = generateStream({ seed: seed + 99, count: 80, partitions: 2 }).map((row, i) => ({
        ...row,
        arrivalUs: middleUs + 1 + Math.floor(random() * 1e9),
        offset: 1_000 + i,
      }));
      expect(await joined([...early, ...later], labels, { knownAt: 'arrival' })).toEqual(before);
    },
  );
});
