import type { Clock } from '../core/clock.ts';
import { type TimestampInput, toTimestampUs, US_PER_MS } from '../core/time.ts';
import type {
  Catalog,
  EntityKeyOf,
  EntityRowOf,
  FeatureNameOf,
  FeatureRef,
  FeatureService,
  FeatureVectorOf,
  FeatureView,
  Readable,
  TopicSource,
  UntypedFeatureVector,
} from '../definition/index.ts';
import type { OnlineReaderOptions } from '../online/index.ts';
import type { StateStore } from '../state/index.ts';
import { inSpan, type SpanAttributes } from '../telemetry/index.ts';
import { type FeatureRequest, planFeatures } from '../transform/index.ts';
import type { DegradedSource } from './degraded-source.ts';
import type { EntityRow } from './entity-columns.ts';
import type { OnlineFeatures } from './online-features.ts';
import { PreparedRead } from './prepared-read.ts';

export interface OnlineServingOptions {
  readonly state: StateStore;
  /** Reads rows and windows. Default: the state's store. */
  readonly readMany?: OnlineReaderOptions['readMany'] | undefined;
  readonly catalog: Catalog;
  readonly clock: Clock;
  /** Partitions of a source's topic. */
  readonly partitionsOf: (source: TopicSource) => number;
  /** Where each partition of a source stands, by partition; for receipts. */
  readonly positionsOf: (
    source: TopicSource,
  ) => readonly PartitionPosition[] | Promise<readonly PartitionPosition[]>;
  readonly fingerprintOf: (view: FeatureView) => string;
  /** What is wrong with a source, if anything is. */
  readonly degradedOf: (source: TopicSource) => readonly DegradedSource[];
}

export interface PartitionPosition {
  /** Next offset not yet in state. */
  readonly applied: number;
  /** Microseconds; null before the first row. */
  readonly streamTimeUs: number | null;
}

interface RequestOptions<FullNames extends boolean> {
  /** Name the features `alias__feature`. Default false. */
  readonly fullFeatureNames?: FullNames;
  /** Say how current the answer is. Default false. */
  readonly includeReceipt?: boolean;
  /**
   * The time that windows, max ages and decays are of. Default: now. A newest row behind it is
   * NOT_FOUND: the store does not keep what it replaced.
   */
  readonly asOf?: TimestampInput;
}

/** A request whose features are known to the compiler. */
export type OnlineRequest<R extends Readable, FullNames extends boolean> = (
  | { readonly features: R; readonly service?: never }
  | { readonly service: R; readonly features?: never }
) & {
  /** Join keys, and request data of on-demand views; all rows with the same keys. */
  readonly entityRows: readonly EntityRowOf<R>[];
} & RequestOptions<FullNames>;

/** A request by names. */
export type UntypedOnlineRequest = (
  | { readonly features: readonly (FeatureRef | string)[]; readonly service?: never }
  | { readonly service: FeatureService | string; readonly features?: never }
) & { readonly entityRows: readonly EntityRow[] } & RequestOptions<boolean>;

/** Online reads of feature vectors. */
export interface OnlineServing {
  /**
   * The newest values for each entity row, in the order of the rows.
   * @throws FreshetError those of `planFeatures`; FEATURE_VIEW_DISABLED, NOT_MATERIALIZABLE;
   * INVALID_ARGUMENT, JOIN_KEY_MISSING, VALUE_TYPE; MISSING_REQUEST_DATA, TRANSFORM_FAILED
   */
  getOnlineFeatures<const R extends Readable, FullNames extends boolean = false>(
    request: OnlineRequest<R, FullNames>,
  ): Promise<
    OnlineFeatures<EntityKeyOf<R> & FeatureVectorOf<R, FullNames>, FeatureNameOf<R, FullNames>>
  >;
  getOnlineFeatures(request: UntypedOnlineRequest): Promise<OnlineFeatures<UntypedFeatureVector>>;
}

/** Requests whose plans are kept; a service has a handful. */
const PREPARED_MAX = 256;

export function createOnlineServing(options: OnlineServingOptions): OnlineServing {
  const serving = new PreparedServing(options);
  return {
    getOnlineFeatures: (request: UntypedOnlineRequest) => serving.read(request) as never,
  };
}

/** Plans each kind of request once. */
class PreparedServing {
  readonly #options: OnlineServingOptions;
  readonly #prepared = new Map<string, PreparedRead>();
  readonly #refIds = new WeakMap<object, number>();
  #refCount = 0;

  constructor(options: OnlineServingOptions) {
    this.#options = options;
  }

  async read(request: UntypedOnlineRequest): Promise<OnlineFeatures<UntypedFeatureVector>> {
    const { asOf, includeReceipt = false } = request;
    const isAsOf = asOf !== undefined;
    const atUs = isAsOf ? toTimestampUs(asOf) : this.#options.clock.nowMs() * US_PER_MS;
    const prepared = this.#prepare(request);
    const { entityRows } = request;
    return inSpan(
      () => ({ name: 'read', attributes: { ...factsOf(request, prepared), isAsOf } }),
      () => prepared.read(entityRows, { atUs, isAsOf, includeReceipt }),
    );
  }

  #prepare(request: UntypedOnlineRequest): PreparedRead {
    const key = this.#keyOf(request);
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const plan = planFeatures(this.#options.catalog, request);
    const prepared = new PreparedRead(this.#options, plan);
    const [oldest] = this.#prepared.keys();
    if (oldest !== undefined && this.#prepared.size >= PREPARED_MAX) this.#prepared.delete(oldest);
    this.#prepared.set(key, prepared);
    return prepared;
  }

  /** Equal for requests of the same features; definitions count by identity. */
  #keyOf({ features, service, fullFeatureNames }: FeatureRequest): string {
    const parts: readonly (object | string)[] =
      features === undefined ? [] : 'kind' in features ? [features] : features;
    let key = fullFeatureNames === true ? 'full' : 'short';
    if (service !== undefined) key += `\nservice ${this.#refKey(service)}`;
    for (const part of parts) key += `\n${this.#refKey(part)}`;
    return key;
  }

  #refKey(ref: object | string): string {
    if (typeof ref === 'string') return ref;
    let id = this.#refIds.get(ref);
    if (id === undefined) {
      id = ++this.#refCount;
      this.#refIds.set(ref, id);
    }
    return `#${id}`;
  }
}

function factsOf(
  { service, entityRows }: UntypedOnlineRequest,
  { views }: PreparedRead,
): SpanAttributes {
  const name = typeof service === 'object' ? service.name : (service ?? null);
  return { service: name, views, entityRows: entityRows.length };
}
