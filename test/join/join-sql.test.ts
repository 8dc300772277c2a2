/** The join against the obvious one, on generated rows with many ties, edges and nulls. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_CREATED_TIME_US, RANK_BATCH, RANK_STREAM } from '../../src/core/row-order.ts';
import { entity, featureView, parquetSource, topicSource } from '../../src/definition/index.ts';
import { joinPointInTime, type OracleLabel, type OracleRow } from '../oracle/point-in-time.ts';
import { batchRelation, type JoinFixture, openJoinFixture, streamRelation } from './fixture.ts';

const SECOND = 1_000_000;

interface Case {
  /** What all times are counted from, microseconds. */
  readonly originUs: number;
  readonly keyCount: 0 | 1 | 2;
  readonly ttl: number | null;
  readonly grace: number;
  readonly hasCreated: boolean;
  readonly hasStream: boolean;
  readonly hasBatch: boolean;
  readonly strictlyBefore: boolean;
  readonly knownAt: 'event' | 'arrival';
  readonly late: 'exclude' | 'include';
  readonly rows: readonly GeneratedRow[];
  readonly labels: readonly { readonly keys: readonly (string | null)[]; readonly time: number }[];
}

interface GeneratedRow {
  readonly stream: boolean;
  readonly keys: readonly (string | null)[];
  readonly time: number;
  readonly created: number | null;
  readonly arrival: number;
  readonly late: number;
  readonly partition: number;
  readonly value: number | null;
}

const key = fc.option(fc.constantFrom('a', "it's"), { freq: 8 });
const rowOf = (time: fc.Arbitrary<number>): fc.Arbitrary<GeneratedRow> =>
  fc.record({
    stream: fc.boolean(),
    keys: fc.tuple(key, key),
    time,
    created: fc.option(time, { freq: 4 }),
    arrival: time,
    late: fc.integer({ min: 0, max: 3 }),
    partition: fc.integer({ min: 0, max: 2 }),
    value: fc.option(fc.integer({ min: 0, max: 1_000 }), { freq: 5 }),
  });
// Dense times have many ties; sparse ones have labels in buckets of their own.
const time = fc.constantFrom(5, 60).map((max) => fc.integer({ min: 0, max }));
const generated: fc.Arbitrary<Case> = time
  .chain(caseOf)
  .filter(({ hasStream, hasBatch }) => hasStream || hasBatch);

function caseOf(time: fc.Arbitrary<number>): fc.Arbitrary<Case> {
  return fc.record({
    // Also over the beginning of 1970, where division rounds the other way.
    originUs: fc.constantFrom(Date.UTC(2025, 0, 1) * 1_000, -4 * SECOND),
    keyCount: fc.constantFrom(0 as const, 1 as const, 2 as const),
    ttl: fc.option(fc.integer({ min: 1, max: 6 })),
    grace: fc.integer({ min: 0, max: 2 }),
    hasCreated: fc.boolean(),
    hasStream: fc.boolean(),
    hasBatch: fc.boolean(),
    strictlyBefore: fc.boolean(),
    knownAt: fc.constantFrom('event' as const, 'arrival' as const),
    late: fc.constantFrom('exclude' as const, 'include' as const),
    rows: fc.array(rowOf(time), { maxLength: 40 }),
    labels: fc.array(fc.record({ keys: fc.tuple(key, key), time }), { maxLength: 15 }),
  });
}

/** DuckDB's ASOF join alone would match this row with this label: null with null. */
const NULL_KEY_PART: Case = {
  originUs: 0,
  keyCount: 2,
  ttl: null,
  grace: 0,
  hasCreated: true,
  hasStream: false,
  hasBatch: true,
  strictlyBefore: false,
  knownAt: 'event',
  late: 'exclude',
  rows: [
    {
      stream: false,
      keys: ['a', null],
      time: 4,
      created: 0,
      arrival: 0,
      late: 0,
      partition: 0,
      value: 0,
    },
  ],
  labels: [{ keys: ['a', null], time: 4 }],
};

describe('the point-in-time join', () => {
  let fixture: JoinFixture;
  beforeAll(async () => {
    fixture = await openJoinFixture();
  });
  afterAll(() => fixture.close());

  it('gives what the obvious join gives, by either plan and by the chosen one', async () => {
    await fc.assert(
      fc.asyncProperty(generated, async (c) => {
        const expected = joinPointInTime(oracleLabels(c), oracleRows(c), {
          ttlUs: c.ttl === null ? null : c.ttl * SECOND,
          graceUs: c.grace * SECOND,
          strictlyBefore: c.strictlyBefore,
          knownAt: c.knownAt,
          late: c.late,
        }).map((features) => features?.[0] ?? null);
        for (const joinStrategy of ['asof', 'range', undefined] as const) {
          expect(await answer(fixture, c, joinStrategy), joinStrategy).toEqual(expected);
        }
      }),
      { numRuns: 300, examples: [[NULL_KEY_PART]] },
    );
  }, 120_000);
});

async function answer(
  fixture: JoinFixture,
  c: Case,
  joinStrategy: 'asof' | 'range' | undefined,
): Promise<unknown[]> {
  const view = viewOf(c);
  const keyColumns = ['k0', 'k1'].slice(0, c.keyCount).map((name) => `${name} VARCHAR`);
  const columns = [...keyColumns, 'ts TIMESTAMP', 'created TIMESTAMP', 'v INTEGER'].join(', ');
  const created = c.hasCreated ? 'created' : null;
  fixture.relations.set('v', [
    ...(c.hasBatch
      ? [
          batchRelation(
            columns,
            rowsOf(c, false).map((r) => tuple(c, r).join(', ')),
            created,
          ),
        ]
      : []),
    ...(c.hasStream
      ? [
          streamRelation(
            columns,
            rowsOf(c, true).map((r) =>
              [...tuple(c, r), r.partition, sqlTime(c, r.arrival), r.late * SECOND].join(', '),
            ),
            created,
          ),
        ]
      : []),
  ]);
  const features = await fixture.reader([view]).getHistoricalFeatures({
    features: ['v:v'],
    entityRows: c.labels.map(({ keys, time }) => ({
      ...Object.fromEntries(keys.slice(0, c.keyCount).map((value, i) => [`k${i}`, value])),
      event_timestamp: c.originUs + time * SECOND,
    })),
    strictlyBefore: c.strictlyBefore,
    knownAt: c.knownAt,
    late: c.late,
    ...(joinStrategy && { joinStrategy }),
  });
  await using _ = features;
  return (await features.toArray()).map((r) => r['v']);
}

function viewOf(c: Case) {
  const keys = ['k0', 'k1'].slice(0, c.keyCount);
  const fields = {
    ...Object.fromEntries(keys.map((name) => [name, 'string' as const])),
    ts: 'timestamp' as const,
    created: 'timestamp' as const,
    v: 'int32' as const,
  };
  const created = c.hasCreated ? { createdTimestampField: 'created' as const } : {};
  const stream = topicSource({
    name: 's',
    topic: 's',
    schema: fields,
    timestampField: 'ts',
    ...created,
  });
  const batch = parquetSource({
    name: 'b',
    path: 'b',
    schema: fields,
    timestampField: 'ts',
    ...created,
  });
  return featureView({
    name: 'v',
    entities: keys.map((name) => entity({ name, joinKeys: { [name]: 'string' } })),
    source: c.hasStream ? stream : batch,
    ...(c.hasStream && c.hasBatch && { batchSource: batch }),
    schema: { v: 'int32' },
    ttl: c.ttl === null ? null : `${c.ttl}s`,
    grace: `${c.grace}s`,
  });
}

function rowsOf(c: Case, stream: boolean): GeneratedRow[] {
  return c.rows.filter((r) => r.stream === stream);
}

function tuple(c: Case, r: GeneratedRow): (string | number)[] {
  const keys = r.keys
    .slice(0, c.keyCount)
    .map((k) => (k === null ? 'NULL' : `'${k.replaceAll("'", "''")}'`));
  const created = r.created === null ? 'NULL' : sqlTime(c, r.created);
  return [...keys, sqlTime(c, r.time), created, r.value ?? 'NULL'];
}

function sqlTime({ originUs }: Case, seconds: number): string {
  return `make_timestamp(${originUs + seconds * SECOND})`;
}

function oracleLabels(c: Case): OracleLabel[] {
  return c.labels.map(({ keys, time }) => ({
    keys: keys.slice(0, c.keyCount),
    timeUs: c.originUs + time * SECOND,
  }));
}

function oracleRows(c: Case): OracleRow[] {
  const toOracle = (r: GeneratedRow, offset: number): OracleRow => {
    const createdTimeUs =
      c.hasCreated && r.created !== null ? c.originUs + r.created * SECOND : NO_CREATED_TIME_US;
    const eventTimeUs = c.originUs + r.time * SECOND;
    const batchArrival = c.hasCreated ? (r.created === null ? null : createdTimeUs) : eventTimeUs;
    return {
      keys: r.keys.slice(0, c.keyCount),
      eventTimeUs,
      createdTimeUs,
      rank: r.stream ? RANK_STREAM : RANK_BATCH,
      partition: r.stream ? r.partition : 0,
      offset,
      arrivalTimeUs: r.stream ? c.originUs + r.arrival * SECOND : batchArrival,
      lateByUs: r.stream ? r.late * SECOND : 0,
      features: [r.value],
    };
  };
  return [
    ...(c.hasBatch ? rowsOf(c, false).map(toOracle) : []),
    ...(c.hasStream ? rowsOf(c, true).map(toOracle) : []),
  ];
}
