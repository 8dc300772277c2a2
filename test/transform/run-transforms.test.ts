import { describe, expect, it } from 'vitest';
import type { FieldValue } from '../../src/core/field-type.ts';
import {
  buildCatalog,
  entity,
  featureView,
  onDemandFeatureView,
  parquetSource,
  requestSource,
  type Transform,
} from '../../src/definition/index.ts';
import type { FreshetError } from '../../src/errors.ts';
import { createTransformRunner, planFeatures } from '../../src/transform/index.ts';

const airport = entity({ name: 'airport', joinKeys: { airport: 'string' } });
const source = parquetSource({
  name: 'flights',
  path: 'flights.parquet',
  schema: { date: 'timestamp', airport: 'string', delay: 'int32', count: 'int64' },
  timestampField: 'date',
});
const stats = featureView({
  name: 'stats',
  entities: [airport],
  source,
  schema: { delay: 'int32', count: 'int64' },
});
const origin = stats.withName('origin').withJoinKeyMap({ airport: 'origin' });
const trip = requestSource({ name: 'trip', schema: { hour: 'int32' } });

interface Inputs {
  readonly [name: string]: unknown;
  readonly delay: number | null;
  readonly hour: number;
}

type Columns = Readonly<Record<string, readonly FieldValue[]>>;

/** Runs `risk` over columns named `alias__feature` and `hour`. */
function run(
  transform: (row: Inputs) => unknown,
  columns: Columns,
  sources: readonly unknown[] = [stats, trip],
): readonly (readonly FieldValue[])[] {
  const risk = onDemandFeatureView({
    name: 'risk',
    sources: sources as [],
    schema: { score: 'int64' },
    transform: transform as unknown as Transform as never,
  });
  const plan = planFeatures(buildCatalog([stats, risk]), { features: ['risk:score'] });
  const [outputs] = createTransformRunner(plan).run({
    count: columns['hour']?.length ?? 2,
    feature: (read, slot) => {
      const { alias, features } = plan.reads[read]!;
      return columns[`${alias}__${features[slot]}`]!;
    },
    request: (name) => columns[name],
    firstRow: 10,
  });
  return outputs!;
}

function errorOf(attempt: () => unknown): FreshetError {
  try {
    attempt();
  } catch (thrown) {
    return thrown as FreshetError;
  }
  throw new Error('no error');
}

const columns: Columns = { stats__delay: [5, null], stats__count: [2n, 3n], hour: [1, 2] };

describe('createTransformRunner', () => {
  it('hands inputs over by short and by full name', () => {
    const seen: unknown[] = [];
    run((row) => {
      seen.push({ ...(row as object) });
      return { score: 0 };
    }, columns);
    expect(seen[0]).toEqual({
      delay: 5,
      stats__delay: 5,
      count: 2n,
      stats__count: 2n,
      hour: 1,
      trip__hour: 1,
    });
  });

  it('turns outputs into the types of the schema', () => {
    const outputs = run(
      ({ delay, hour }) => ({ score: delay === null ? null : delay + hour }),
      columns,
    );
    expect(outputs).toEqual([[6n, null]]);
  });

  it('names the view and the row when a transform throws', () => {
    const error = errorOf(() =>
      run((row) => {
        if (row['delay'] === null) throw new Error('no delay');
        return { score: 1 };
      }, columns),
    );
    expect(error.code).toBe('TRANSFORM_FAILED');
    expect(error.message).toBe('on-demand view "risk", row 11: no delay');
    expect(error.where).toMatchObject({ view: 'risk', row: 11 });
  });

  it.each([
    ['leaves out an output', () => ({}), '"score" was not returned'],
    ['returns a wrong type', () => ({ score: 'many' }), 'output "score"'],
    ['returns nothing', () => undefined, 'not an object'],
    ['is asynchronous', async () => ({ score: 1 }), 'synchronous'],
  ])('fails when a transform %s', (_, transform, text) => {
    const error = errorOf(() => run(transform, columns));
    expect(error.code).toBe('TRANSFORM_FAILED');
    expect(error.message).toContain(text);
  });

  it.each([
    ['no column', { stats__delay: [1, 2], stats__count: [1n, 1n] }],
    ['a null', { ...columns, hour: [1, null] }],
  ])('names missing request data: %s', (_, given) => {
    const error = errorOf(() => run(() => ({ score: 1 }), given as Columns));
    expect(error.code).toBe('MISSING_REQUEST_DATA');
    expect(error.message).toContain('"hour"');
    expect(error.message).toContain('"risk"');
  });

  it('catches a transform that gives another answer for the same row', () => {
    let calls = 0;
    const counting = (): unknown => ({ score: ++calls });
    const columns = { stats__delay: [1, 2], stats__count: [1n, 2n], hour: [1, 2] };
    expect(() => run(counting, columns)).toThrow(
      expect.objectContaining({
        code: 'TRANSFORM_FAILED',
        message: expect.stringContaining('was 1 and then 2 for the same row'),
        where: expect.objectContaining({ view: 'risk', row: 10 }),
      }),
    );
  });

  it('is refused before it runs where its text reads the clock or chance', () => {
    const withText = (text: string): (() => unknown) =>
      Object.assign(() => ({ score: 1 }), { toString: () => text });
    for (const what of ['Date.now', 'new Date()', 'Math.random']) {
      const transform = withText(`() => ({ score: ${what} })`);
      expect(() => run(transform, {})).toThrow(
        expect.objectContaining({
          code: 'DEFINITION_INVALID',
          message: expect.stringContaining(what),
        }),
      );
    }
    const ofRow = (row: Inputs): unknown => ({ score: new Date(row.hour).getTime() });
    expect(() => run(ofRow, { stats__delay: [1], stats__count: [1n], hour: [1] })).not.toThrow();
  });

  it('refuses request data of another type', () => {
    const error = errorOf(() => run(() => ({ score: 1 }), { ...columns, hour: [1, 'late'] }));
    expect(error.code).toBe('VALUE_TYPE');
    expect(error.message).toContain('row 11, request data "hour"');
  });

  it('demands the full name where two inputs share the short one', () => {
    const both: Columns = {
      ...columns,
      origin__delay: [7, 8],
      origin__count: [0n, 0n],
    };
    const sources = [stats, origin, trip];
    const outputs = run(({ origin__delay }) => ({ score: origin__delay }), both, sources);
    expect(outputs).toEqual([[7n, 8n]]);
    const error = errorOf(() => run(({ delay }) => ({ score: delay }), both, sources));
    expect(error.code).toBe('TRANSFORM_FAILED');
    expect(error.message).toContain('stats__delay and origin__delay');
  });
});
