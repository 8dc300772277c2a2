/**
 * Runs on-demand transforms over columns of rows; one code for online reads and historical joins,
 * so that a transform gives the same value in both.
 *
 * A transform is handed one object a row: request fields and input features by their own name and by
 * `alias__feature` (`source__field` for request data). A name that two inputs share must be read by
 * its full name; reading the short one is an error. An output that the transform does not return is
 * an error, too; null is a value.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Coercer, coercerOf } from '../core/coerce.ts';
import type { FieldValue } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import type { FeaturePlan, PlannedRequestField, PlannedTransform } from './feature-plan.ts';

/** Columns of `count` rows. */
export interface TransformColumns {
  readonly count: number;
  /** Values of a feature of a read: `plan.reads[read].features[slot]`. */
  feature(read: number, slot: number): readonly FieldValue[];
  /** Request data as it was sent; undefined when the rows have no such column. */
  request(name: string): readonly unknown[] | undefined;
  /** Number of the first row in messages. Default 0. */
  readonly firstRow?: number;
}

/** Values by transform of the plan and feature of it: `[transform][slot][row]`. */
export type TransformResults = readonly (readonly (readonly FieldValue[])[])[];

export interface TransformRunner {
  /** @throws FreshetError MISSING_REQUEST_DATA, VALUE_TYPE for request data, TRANSFORM_FAILED */
  run(columns: TransformColumns): TransformResults;
}

/** Compiles the transforms of a plan; use it for as many rows as there are. */
export function createTransformRunner(plan: FeaturePlan): TransformRunner {
  const compiled = plan.transforms.map((transform) => new CompiledTransform(transform));
  return { run: (columns) => compiled.map((transform) => transform.run(columns)) };
}

type InputRow = Record<string, unknown>;

/** So many first runs ask for their first row twice: another answer is found before it does harm. */
const CHECKED_RUNS = 64;

class CompiledTransform {
  readonly #transform: PlannedTransform;
  readonly #requestCoercers: readonly Coercer[];
  readonly #outputCoercers: readonly Coercer[];
  readonly #ambiguous: ReadonlySet<string>;
  readonly #prototype: object;
  #checksLeft = CHECKED_RUNS;

  constructor(transform: PlannedTransform) {
    this.#transform = transform;
    this.#requestCoercers = transform.requestFields.map(({ type }) => coercerOf(type));
    this.#outputCoercers = transform.types.map(coercerOf);
    this.#ambiguous = sharedNames(transform);
    this.#prototype = refusingPrototype(transform, this.#ambiguous);
  }

  run(columns: TransformColumns): FieldValue[][] {
    const { view, features } = this.#transform;
    const { count, firstRow = 0 } = columns;
    const rows = Array.from({ length: count }, () => Object.create(this.#prototype) as InputRow);
    this.#fillRequest(rows, columns);
    this.#fillFeatures(rows, columns);
    const outputs = features.map(() => new Array<FieldValue>(count));
    for (let i = 0; i < count; i++) {
      const row = firstRow + i;
      const returned = this.#call(rows[i] as InputRow, row);
      if (i === 0 && this.#checksLeft > 0) this.#requireSame(rows[i] as InputRow, row, returned);
      for (let slot = 0; slot < features.length; slot++) {
        const feature = features[slot] as string;
        const value = returned[feature];
        if (value === undefined) {
          throw failed(view.name, row, `output "${feature}" was not returned`);
        }
        (outputs[slot] as FieldValue[])[i] = this.#coerceOutput(slot, value, row);
      }
    }
    return outputs;
  }

  #fillRequest(rows: readonly InputRow[], { request, firstRow = 0 }: TransformColumns): void {
    this.#transform.requestFields.forEach((field, f) => {
      const values = request(field.name);
      const coerce = this.#requestCoercers[f] as Coercer;
      const short = !this.#ambiguous.has(field.name);
      const fullName = `${field.source}__${field.name}`;
      rows.forEach((row, i) => {
        const value = requestValue(field, coerce, values?.[i], firstRow + i);
        row[fullName] = value;
        if (short) row[field.name] = value;
      });
    });
  }

  #fillFeatures(rows: readonly InputRow[], columns: TransformColumns): void {
    for (const { alias, feature, read, slot } of this.#transform.inputs) {
      const values = columns.feature(read, slot);
      const short = !this.#ambiguous.has(feature);
      const fullName = `${alias}__${feature}`;
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as InputRow;
        const value = values[i] as FieldValue;
        row[fullName] = value;
        if (short) row[feature] = value;
      }
    }
  }

  #call(input: InputRow, row: number): Record<string, unknown> {
    const { view } = this.#transform;
    let returned: unknown;
    try {
      returned = view.transform(input);
    } catch (thrown) {
      if (thrown instanceof FreshetError) throw thrown;
      const what = thrown instanceof Error ? thrown.message : String(thrown);
      throw failed(view.name, row, what, thrown);
    }
    if (typeof returned !== 'object' || returned === null) {
      throw failed(view.name, row, `it returned ${String(returned)}, not an object of outputs`);
    }
    if (returned instanceof Promise) {
      returned.catch(() => {}); // refused here; its own outcome no longer matters
      throw failed(view.name, row, 'it returned a promise; a transform must be synchronous');
    }
    return returned as Record<string, unknown>;
  }

  #requireSame(input: InputRow, row: number, first: Record<string, unknown>): void {
    this.#checksLeft--;
    const again = this.#call(input, row);
    for (const feature of this.#transform.features) {
      if (isSame(first[feature], again[feature])) continue;
      const what =
        `output "${feature}" was ${String(first[feature])} and then ${String(again[feature])} for the ` +
        'same row; a transform must be deterministic';
      throw failed(this.#transform.view.name, row, what);
    }
  }

  #coerceOutput(slot: number, value: unknown, row: number): FieldValue {
    const { view, features } = this.#transform;
    try {
      return (this.#outputCoercers[slot] as Coercer)(value);
    } catch (thrown) {
      const what = thrown instanceof Error ? thrown.message : String(thrown);
      throw failed(view.name, row, `output "${features[slot]}": ${what}`, thrown);
    }
  }
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  const isObject = typeof a === 'object' && typeof b === 'object' && a !== null && b !== null;
  return isObject && isDeepStrictEqual(a, b);
}

function requestValue(
  field: PlannedRequestField,
  coerce: Coercer,
  sent: unknown,
  row: number,
): FieldValue {
  const where = { view: field.view, column: field.name, row };
  if (sent === undefined || sent === null) {
    throw new FreshetError(
      'MISSING_REQUEST_DATA',
      `row ${row} has no "${field.name}" (${field.type}), which on-demand view "${field.view}" needs`,
      { where },
    );
  }
  try {
    return coerce(sent);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new FreshetError('VALUE_TYPE', `row ${row}, request data "${field.name}": ${what}`, {
      where,
      cause,
    });
  }
}

/** Short names that more than one input has. */
function sharedNames({ inputs, requestFields }: PlannedTransform): Set<string> {
  const names = [...inputs.map(({ feature }) => feature), ...requestFields.map(({ name }) => name)];
  return new Set(names.filter((name, i) => names.indexOf(name) !== i));
}

/** Reading a shared name would give one of several values; it gives an error instead. */
function refusingPrototype(transform: PlannedTransform, shared: ReadonlySet<string>): object {
  const { inputs, requestFields, view } = transform;
  const prototype: object = {};
  for (const name of shared) {
    const fullNames = [
      ...inputs.filter((i) => i.feature === name).map((i) => `${i.alias}__${name}`),
      ...requestFields.filter((f) => f.name === name).map((f) => `${f.source}__${name}`),
    ];
    Object.defineProperty(prototype, name, {
      get: () => {
        throw new FreshetError(
          'TRANSFORM_FAILED',
          `on-demand view "${view.name}" reads "${name}", which is ${fullNames.join(' and ')}`,
          { where: { view: view.name }, next: `Read ${fullNames.join(' or ')} in the transform.` },
        );
      },
    });
  }
  return prototype;
}

function failed(view: string, row: number, what: string, cause?: unknown): FreshetError {
  return new FreshetError('TRANSFORM_FAILED', `on-demand view "${view}", row ${row}: ${what}`, {
    where: { view, row },
    cause,
  });
}
