/**
 * One kind of request, planned and compiled: entity rows → keys → newest rows → TTL → transforms →
 * answer.
 */
import type { FieldValue } from '../core/field-type.ts';
import type { TopicSource, UntypedFeatureVector } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import {
  BATCH_ROW,
  FEATURE_ABSENT,
  FEATURE_NULL,
  OnlineReader,
  type RowColumns,
} from '../online/index.ts';
import {
  createTransformRunner,
  type FeaturePlan,
  type PlannedOutput,
  type PlannedRead,
  type TransformResults,
  type TransformRunner,
} from '../transform/index.ts';
import type { DegradedSource } from './degraded-source.ts';
import { type EntityColumns, type EntityRow, entityColumnReader } from './entity-columns.ts';
import {
  type AnswerColumn,
  type FeatureColumn,
  type FeatureStatus,
  OnlineFeatures,
  type Receipt,
} from './online-features.ts';
import type { OnlineServingOptions, PartitionPosition } from './online-serving.ts';

/** One feature of one read, as it is answered. */
type ReadFeature = Omit<FeatureColumn, 'name' | 'type'>;

type Positions = ReadonlyMap<TopicSource, readonly PartitionPosition[]>;

export interface ReadTime {
  /** Microseconds. */
  readonly atUs: number;
  /** Whether the request chose the time: then rows behind it are hidden. */
  readonly isAsOf: boolean;
  readonly includeReceipt: boolean;
}

export class PreparedRead {
  readonly #options: OnlineServingOptions;
  readonly #plan: FeaturePlan;
  readonly #entityColumns: (rows: readonly EntityRow[]) => EntityColumns;
  readonly #reader: OnlineReader;
  readonly #sources: readonly TopicSource[];
  /** By read: the entity row's column of each join key, in the reader's order. */
  readonly #keyColumns: readonly (readonly string[])[];
  readonly #transforms: TransformRunner;

  /** @throws FreshetError FEATURE_VIEW_DISABLED, NOT_MATERIALIZABLE */
  constructor(options: OnlineServingOptions, plan: FeaturePlan) {
    for (const read of plan.reads) requireServed(read);
    this.#options = options;
    this.#plan = plan;
    this.#entityColumns = entityColumnReader(plan);
    this.#reader = new OnlineReader(options, plan.reads);
    this.#sources = [...new Set(plan.reads.flatMap(({ view }) => view.streamSource ?? []))];
    this.#keyColumns = this.#reader.keyNames.map((names, r) => columnsOf(plan.reads[r]!, names));
    this.#transforms = createTransformRunner(plan);
  }

  async read(
    entityRows: readonly EntityRow[],
    { atUs, isAsOf, includeReceipt }: ReadTime,
  ): Promise<OnlineFeatures<UntypedFeatureVector>> {
    const entities = this.#entityColumns(entityRows);
    // Before the rows: then the rows have at least what the positions say.
    const positions = includeReceipt ? await this.#positions() : null;
    const rows = await this.#reader.read(this.#entityKeys(entities), atUs);
    const features = rows.map((columns, r) =>
      readFeatures(
        isAsOf ? withoutRowsBehind(columns, atUs) : columns,
        (this.#plan.reads[r] as PlannedRead).view.ttlUs,
        atUs,
      ),
    );
    const computed = this.#runTransforms(entities, features);
    const answer = this.#plan.outputs.map((output) => this.#column(output, features, computed));
    const keys = this.#plan.joinKeys.map(
      ({ column, type }): AnswerColumn => ({
        name: column,
        type,
        values: entities.keys.get(column) as readonly FieldValue[],
      }),
    );
    const receipts = positions === null ? null : this.#receipts(rows, positions, atUs);
    const notes = { receipts, readAtUs: atUs, degraded: this.#degraded() };
    return new OnlineFeatures(entities.count, keys, answer, notes);
  }

  /** Names of the views that are read, one a use. */
  get views(): string[] {
    return this.#plan.reads.map(({ view }) => view.name);
  }

  #entityKeys({ count, keys }: EntityColumns): (readonly FieldValue[])[][] {
    return this.#keyColumns.map((names) => {
      const columns = names.map((name) => keys.get(name) as readonly FieldValue[]);
      return Array.from({ length: count }, (_, i) =>
        columns.map((column) => column[i] as FieldValue),
      );
    });
  }

  /** A value outside its max age is null to a transform, as it is in a historical join. */
  #runTransforms(
    entities: EntityColumns,
    features: readonly (readonly ReadFeature[])[],
  ): TransformResults {
    if (this.#plan.transforms.length === 0) return [];
    return this.#transforms.run({
      count: entities.count,
      feature: (read, slot) => {
        const { values, statuses } = featureAt(features, read, slot);
        return values.map((value, i) => (statuses[i] === 'OUTSIDE_MAX_AGE' ? null : value));
      },
      request: (name) => entities.sent(name),
    });
  }

  #column(
    { name, type, from }: PlannedOutput,
    features: readonly (readonly ReadFeature[])[],
    computed: TransformResults,
  ): FeatureColumn {
    if (from.kind === 'read') {
      return { name, type, ...featureAt(features, from.index, from.slot) };
    }
    const values = computed[from.index]?.[from.slot] as readonly FieldValue[];
    const inputs = this.#plan.transforms[from.index]?.inputs ?? [];
    const statuses = values.map(
      (value): FeatureStatus => (value === null ? 'NULL_VALUE' : 'PRESENT'),
    );
    const sources = inputs.map(({ read, slot }) => featureAt(features, read, slot));
    return { name, type, values, statuses, eventTimesUs: newestTimes(values.length, sources) };
  }

  async #positions(): Promise<Positions> {
    const found = new Map<TopicSource, readonly PartitionPosition[]>();
    for (const source of this.#sources) found.set(source, await this.#options.positionsOf(source));
    return found;
  }

  #degraded(): readonly DegradedSource[] {
    let all: readonly DegradedSource[] = ALL_WELL;
    for (const source of this.#sources) {
      const found = this.#options.degradedOf(source);
      if (found.length > 0) all = [...all, ...found];
    }
    return all;
  }

  #receipts(
    rows: readonly RowColumns[],
    positions: Positions,
    atUs: number,
  ): Record<string, Receipt[]> {
    const receipts: Record<string, Receipt[]> = {};
    this.#plan.reads.forEach(({ view, alias }, r) => {
      const { partitions, effectiveAtUs, eventTimesUs } = rows[r] as RowColumns;
      const fingerprint = this.#options.fingerprintOf(view);
      receipts[alias] = Array.from(partitions, (partition, i): Receipt => {
        const source = partition === BATCH_ROW ? null : view.streamSource;
        const position = source === null ? undefined : positions.get(source)?.[partition];
        return {
          view: view.name,
          fingerprint,
          topic: source?.topic ?? null,
          partition: partition >= 0 ? partition : null,
          appliedOffset: position?.applied ?? null,
          streamTimeUs: position?.streamTimeUs ?? null,
          freshnessUs: freshnessOf(eventTimesUs[i] as number, atUs),
          effectiveAtUs: effectiveAtUs[i] as number,
        };
      });
    });
    return receipts;
  }
}

const ALL_WELL: readonly DegradedSource[] = [];

/** NaN is the time of no row. */
function freshnessOf(eventTimeUs: number, atUs: number): number | null {
  return Number.isNaN(eventTimeUs) ? null : atUs - eventTimeUs;
}

function featureAt(
  features: readonly (readonly ReadFeature[])[],
  read: number,
  slot: number,
): ReadFeature {
  return (features[read] as readonly ReadFeature[])[slot] as ReadFeature;
}

function requireServed({ view, alias }: PlannedRead): void {
  if (!view.enabled) {
    throw new FreshetError('FEATURE_VIEW_DISABLED', `feature view "${alias}" is disabled`, {
      where: { view: view.name },
    });
  }
  if (!view.online) {
    throw new FreshetError(
      'NOT_MATERIALIZABLE',
      `feature view "${alias}" is not configured to be served online`,
      { where: { view: view.name } },
    );
  }
}

function columnsOf(read: PlannedRead, names: readonly string[]): string[] {
  const columns = new Map(read.keys.map(({ key, column }) => [key, column]));
  return names.map((name) => columns.get(name) as string);
}

/** Statuses and times of the features of one read. The edge counts: a row of exactly the TTL's age is served. */
function readFeatures(
  { values, states, eventTimesUs }: RowColumns,
  ttlUs: number | null,
  nowUs: number,
): ReadFeature[] {
  const oldestUs = ttlUs === null ? Number.NEGATIVE_INFINITY : nowUs - ttlUs;
  const times = new Array<number | null>(eventTimesUs.length);
  for (let e = 0; e < times.length; e++) {
    const us = eventTimesUs[e] as number;
    times[e] = Number.isNaN(us) ? null : us;
  }
  return values.map((column, f) => {
    const known = states[f] as Uint8Array;
    const statuses = new Array<FeatureStatus>(times.length);
    for (let e = 0; e < times.length; e++) {
      statuses[e] = statusOf(known[e] as number, (eventTimesUs[e] as number) < oldestUs);
    }
    return { values: column, statuses, eventTimesUs: times };
  });
}

/** The columns with NOT_FOUND in place of what happened after the time of the read. */
function withoutRowsBehind(columns: RowColumns, atUs: number): RowColumns {
  const isBehind = (e: number): boolean => (columns.eventTimesUs[e] as number) > atUs;
  if (!columns.eventTimesUs.some((us) => us > atUs)) return columns;
  return {
    ...columns,
    values: columns.values.map((column) => column.map((value, e) => (isBehind(e) ? null : value))),
    states: columns.states.map((states) =>
      states.map((state, e) => (isBehind(e) ? FEATURE_ABSENT : state)),
    ),
    eventTimesUs: columns.eventTimesUs.map((us) => (us > atUs ? Number.NaN : us)),
  };
}

function statusOf(state: number, isTooOld: boolean): FeatureStatus {
  if (state === FEATURE_ABSENT) return 'NOT_FOUND';
  if (isTooOld) return 'OUTSIDE_MAX_AGE';
  return state === FEATURE_NULL ? 'NULL_VALUE' : 'PRESENT';
}

/** By row, the newest event time among the inputs that a transform saw; null when it saw none. */
function newestTimes(count: number, inputs: readonly ReadFeature[]): (number | null)[] {
  return Array.from({ length: count }, (_, i) => {
    let newest: number | null = null;
    for (const { statuses, eventTimesUs } of inputs) {
      const us = eventTimesUs[i] ?? null;
      if (us === null || statuses[i] === 'NOT_FOUND' || statuses[i] === 'OUTSIDE_MAX_AGE') continue;
      if (newest === null || us > newest) newest = us;
    }
    return newest;
  });
}
