/**
 * What a request for features means: which rows to read, which on-demand transforms to run, and
 * which columns to answer. Pure; online serving and the historical join both start from it, so that
 * the same request has the same columns on both sides.
 */
import type { FieldType, KeyType } from '../core/field-type.ts';
import type {
  Catalog,
  FeatureView,
  OnDemandFeatureView,
  ViewProjection,
} from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import { type NamedColumn, requireDistinctNames } from './name-collision.ts';
import { type FeatureRequest, resolveProjection, resolveRequest } from './resolve-request.ts';

export interface FeaturePlan {
  /** Rows to read, each view once an alias and join key map. */
  readonly reads: readonly PlannedRead[];
  /** On-demand views to run, in the order in which they are first asked for. */
  readonly transforms: readonly PlannedTransform[];
  /** Columns of the answer, in the order of the request. */
  readonly outputs: readonly PlannedOutput[];
  /** Columns of the entity rows that are join keys, each once, in the order of the reads. */
  readonly joinKeys: readonly PlannedJoinKey[];
  /** Columns of the entity rows that transforms need, each once. */
  readonly requestFields: readonly PlannedRequestField[];
}

/** One use of one view. `features` are those that are returned or that a transform needs. */
export interface PlannedRead {
  readonly view: FeatureView;
  readonly alias: string;
  /** The view's join keys with the entity row's column of each, in the view's order. */
  readonly keys: readonly {
    readonly key: string;
    readonly column: string;
    readonly type: KeyType;
  }[];
  readonly features: readonly string[];
  readonly types: readonly FieldType[];
}

export interface PlannedTransform {
  readonly view: OnDemandFeatureView;
  readonly inputs: readonly TransformInputColumn[];
  readonly requestFields: readonly PlannedRequestField[];
  /** Every output of the view; what is not asked for is not returned. */
  readonly features: readonly string[];
  readonly types: readonly FieldType[];
}

/** A feature as a transform sees it: under `feature` and under `alias__feature`. */
export interface TransformInputColumn {
  readonly alias: string;
  readonly feature: string;
  /** Index into `reads`, and into the features of that read. */
  readonly read: number;
  readonly slot: number;
}

export interface PlannedOutput {
  readonly name: string;
  readonly alias: string;
  readonly feature: string;
  readonly type: FieldType;
  /** Index into `reads` or `transforms`, and into the features there. */
  readonly from: {
    readonly kind: 'read' | 'transform';
    readonly index: number;
    readonly slot: number;
  };
}

export interface PlannedJoinKey {
  readonly column: string;
  readonly type: KeyType;
  /** The first view that needs it, for messages. */
  readonly alias: string;
}

export interface PlannedRequestField {
  readonly name: string;
  readonly type: FieldType;
  /** The request source, and the on-demand view that needs it. */
  readonly source: string;
  readonly view: string;
}

/**
 * @throws FreshetError INVALID_ARGUMENT, FEATURE_VIEW_NOT_FOUND, FEATURE_NOT_FOUND,
 * FEATURE_SERVICE_NOT_FOUND, FEATURE_NAME_COLLISION
 */
export function planFeatures(catalog: Catalog, request: FeatureRequest): FeaturePlan {
  const planner = new Planner(request.fullFeatureNames ?? false);
  for (const use of resolveRequest(catalog, request)) {
    if (use.kind === 'onDemand') planner.addOnDemand(catalog, use.view, use.features);
    else planner.addProjection(use.projection);
  }
  return planner.finish();
}

interface GrowingRead {
  readonly projection: ViewProjection;
  readonly features: string[];
}

class Planner {
  readonly #fullNames: boolean;
  readonly #reads = new Map<string, GrowingRead>();
  readonly #transforms = new Map<string, PlannedTransform>();
  readonly #outputs: PlannedOutput[] = [];

  constructor(fullNames: boolean) {
    this.#fullNames = fullNames;
  }

  addProjection(projection: ViewProjection): void {
    const { alias, view } = projection;
    for (const feature of projection.features) {
      const { read, slot } = this.#readSlot(projection, feature);
      const from = { kind: 'read', index: read, slot } as const;
      this.#addOutput(alias, feature, view.schema[feature] as FieldType, from);
    }
  }

  addOnDemand(catalog: Catalog, view: OnDemandFeatureView, features: readonly string[]): void {
    const transform = this.#transform(catalog, view);
    const index = [...this.#transforms.keys()].indexOf(view.name);
    for (const feature of features) {
      const slot = transform.features.indexOf(feature);
      const from = { kind: 'transform', index, slot } as const;
      this.#addOutput(view.name, feature, view.schema[feature] as FieldType, from);
    }
  }

  finish(): FeaturePlan {
    const reads = [...this.#reads.values()].map(plannedRead);
    const transforms = [...this.#transforms.values()];
    const joinKeys = distinctJoinKeys(reads);
    const requestFields = distinctBy(
      transforms.flatMap((transform) => transform.requestFields),
      ({ name }) => name,
    );
    const keyColumns = joinKeys.map(
      ({ column, alias }): NamedColumn => ({ name: column, what: 'join key', alias }),
    );
    const outputs = this.#outputs.map(
      ({ name, alias, feature }): NamedColumn => ({ name, what: 'feature', alias, feature }),
    );
    requireDistinctNames([...keyColumns, ...outputs]);
    return { reads, transforms, outputs: this.#outputs, joinKeys, requestFields };
  }

  #addOutput(alias: string, feature: string, type: FieldType, from: PlannedOutput['from']): void {
    const name = this.#fullNames ? `${alias}__${feature}` : feature;
    this.#outputs.push({ name, alias, feature, type, from });
  }

  #transform(catalog: Catalog, view: OnDemandFeatureView): PlannedTransform {
    const known = this.#transforms.get(view.name);
    if (known !== undefined) return known;
    const inputs = view.projections.flatMap((source) => {
      const projection = resolveProjection(catalog, source);
      return projection.features.map(
        (feature): TransformInputColumn => ({
          alias: projection.alias,
          feature,
          ...this.#readSlot(projection, feature),
        }),
      );
    });
    const requestFields = view.requestSources.flatMap((source) =>
      Object.entries(source.schema).map(
        ([name, type]): PlannedRequestField => ({
          name,
          type,
          source: source.name,
          view: view.name,
        }),
      ),
    );
    const transform: PlannedTransform = {
      view,
      inputs,
      requestFields,
      features: Object.keys(view.schema),
      types: Object.values(view.schema),
    };
    this.#transforms.set(view.name, transform);
    return transform;
  }

  /** The place of a feature among the reads, which grow by it when it is new. */
  #readSlot(projection: ViewProjection, feature: string): { read: number; slot: number } {
    const { view, alias, joinKeyMap } = projection;
    const columns = Object.keys(view.joinKeys).map((key) => joinKeyMap[key] ?? key);
    const identity = JSON.stringify([view.name, alias, columns]);
    let read = this.#reads.get(identity);
    if (read === undefined) {
      read = { projection, features: [] };
      this.#reads.set(identity, read);
    }
    if (!read.features.includes(feature)) read.features.push(feature);
    const index = [...this.#reads.keys()].indexOf(identity);
    return { read: index, slot: read.features.indexOf(feature) };
  }
}

function plannedRead({ projection, features }: GrowingRead): PlannedRead {
  const { view, alias, joinKeyMap } = projection;
  const keys = Object.entries(view.joinKeys).map(([key, type]) => ({
    key,
    column: joinKeyMap[key] ?? key,
    type,
  }));
  const types = features.map((feature) => view.schema[feature] as FieldType);
  return { view, alias, keys, features, types };
}

function distinctJoinKeys(reads: readonly PlannedRead[]): PlannedJoinKey[] {
  const found = new Map<string, PlannedJoinKey>();
  for (const { alias, keys } of reads) {
    for (const { column, type } of keys) {
      const first = found.get(column);
      if (first === undefined) {
        found.set(column, { column, type, alias });
      } else if (first.type !== type) {
        throw new FreshetError(
          'INVALID_ARGUMENT',
          `join key "${column}" is ${first.type} in view "${first.alias}" but ${type} in view "${alias}"`,
          { next: 'Give one of the two views another column with withJoinKeyMap.' },
        );
      }
    }
  }
  return [...found.values()];
}

function distinctBy<T>(items: readonly T[], identity: (item: T) => string): T[] {
  const found = new Map<string, T>();
  for (const item of items) if (!found.has(identity(item))) found.set(identity(item), item);
  return [...found.values()];
}
