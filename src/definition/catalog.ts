import { FreshetError } from '../errors.ts';
import type { Entity } from './entity.ts';
import type { FeatureRef, FeatureService } from './feature-service.ts';
import type { FeatureView } from './feature-view.ts';
import type { OnDemandFeatureView } from './on-demand-feature-view.ts';
import { makeProjection, type ViewProjection } from './projection.ts';
import type { Source } from './source.ts';

export type Definition = Entity | Source | FeatureView | OnDemandFeatureView | FeatureService;

/** Everything a feature repository defines, by name, in the order of the definitions. */
export interface Catalog {
  readonly entities: ReadonlyMap<string, Entity>;
  readonly sources: ReadonlyMap<string, Source>;
  readonly views: ReadonlyMap<string, FeatureView>;
  readonly onDemandViews: ReadonlyMap<string, OnDemandFeatureView>;
  readonly services: ReadonlyMap<string, FeatureService>;
}

/**
 * Collects definitions, with the entities and sources that their views use, and checks them
 * against each other.
 * @throws FreshetError CONFLICTING_FEATURE_VIEW_NAMES, CONFLICTING_NAMES, FEATURE_VIEW_NOT_FOUND when
 * a service or an on-demand view uses a view that is not among the definitions, DEFINITION_INVALID
 */
export function buildCatalog(definitions: readonly Definition[]): Catalog {
  const distinct = [...new Set(definitions)];
  const views = distinct.filter((d): d is FeatureView => d.kind === 'featureView');
  const onDemandViews = distinct.filter((d) => d.kind === 'onDemandFeatureView');
  const services = distinct.filter((d) => d.kind === 'featureService');
  const entities = new Set(distinct.filter((d) => d.kind === 'entity'));
  const sources = new Set(distinct.filter(isSource));
  for (const view of views) {
    for (const entity of view.entities) entities.add(entity);
    for (const source of sourcesOf(view)) sources.add(source);
  }
  for (const view of onDemandViews) {
    for (const source of view.requestSources) sources.add(source);
  }

  requireDistinctViewNames([...views, ...onDemandViews]);
  requireDistinctNames([...sources], 'data sources');
  requireDistinctNames([...entities], 'entities');
  requireDistinctNames(services, 'feature services');
  requireOneSourceATopic([...sources]);

  const catalog: Catalog = {
    entities: byName([...entities]),
    sources: byName([...sources]),
    views: byName(views),
    onDemandViews: byName(onDemandViews),
    services: byName(services),
  };
  for (const view of onDemandViews) {
    for (const ref of view.projections) requireApplied(catalog, 'on-demand view', view.name, ref);
  }
  for (const service of services) {
    for (const ref of service.features) requireApplied(catalog, 'service', service.name, ref);
    requireDistinctFeatures(service);
    requireOneTypeAColumn(service);
  }
  return Object.freeze(catalog);
}

/** The stream and the batch source of a view, those it has. */
function sourcesOf(view: FeatureView): Source[] {
  return [view.streamSource, view.batchSource].filter((source) => source !== null);
}

/** The view that a reference reads. */
export function viewOf(ref: FeatureRef): FeatureView | OnDemandFeatureView {
  return ref.kind === 'projection' || ref.kind === 'onDemandProjection' ? ref.view : ref;
}

/** What kind of view it is, in the words of messages: Feast's class names. */
function viewKind(view: FeatureView | OnDemandFeatureView): string {
  if (view.kind === 'onDemandFeatureView') return 'OnDemandFeatureView';
  return view.streamSource === null ? 'FeatureView' : 'StreamFeatureView';
}

function isSource(definition: Definition): definition is Source {
  return (
    definition.kind === 'topicSource' ||
    definition.kind === 'parquetSource' ||
    definition.kind === 'requestSource'
  );
}

function byName<D extends Definition>(definitions: readonly D[]): ReadonlyMap<string, D> {
  return new Map(definitions.map((definition) => [definition.name, definition]));
}

function requireDistinctViewNames(views: readonly (FeatureView | OnDemandFeatureView)[]): void {
  for (const [first, second] of sameNames(views)) {
    const [kind, otherKind] = [viewKind(first), viewKind(second)];
    const found =
      kind === otherKind
        ? `Multiple ${kind}s found for name ${second.name}`
        : `Multiple feature views found for name ${second.name}: ${kind} and ${otherKind}`;
    const spelling = first.name === second.name ? '' : ` (also written ${first.name})`;
    throw new FreshetError(
      'CONFLICTING_FEATURE_VIEW_NAMES',
      `${found}${spelling}. Feature view names must be case-insensitively unique`,
      { where: { view: second.name } },
    );
  }
}

function requireDistinctNames(definitions: readonly Definition[], kind: string): void {
  for (const [first, second] of sameNames(definitions)) {
    throw new FreshetError(
      'CONFLICTING_NAMES',
      `Multiple ${kind} share the same case-insensitive name: ${first.name}, ${second.name}`,
      { next: `Rename one of the ${kind}, or define it once and import it where it is used.` },
    );
  }
}

/** Pairs whose names are equal but for case. */
function* sameNames<D extends Definition>(definitions: readonly D[]): Generator<readonly [D, D]> {
  const seen = new Map<string, D>();
  for (const definition of definitions) {
    const name = definition.name.toLowerCase();
    const first = seen.get(name);
    if (first !== undefined) yield [first, definition];
    else seen.set(name, definition);
  }
}

function requireOneSourceATopic(sources: readonly Source[]): void {
  const sourceByTopic = new Map<string, string>();
  for (const source of sources) {
    if (source.kind !== 'topicSource') continue;
    const first = sourceByTopic.get(source.topic);
    if (first !== undefined) {
      throw new FreshetError(
        'CONFLICTING_NAMES',
        `sources "${first}" and "${source.name}" both read topic "${source.topic}"`,
        {
          where: { topic: source.topic },
          next: 'Define one source a topic and share it between views.',
        },
      );
    }
    sourceByTopic.set(source.topic, source.name);
  }
}

/** A view of the same name made elsewhere is as wrong as none: its definition may differ. */
function requireApplied(catalog: Catalog, kind: string, user: string, ref: FeatureRef): void {
  const view = viewOf(ref);
  const known =
    view.kind === 'featureView'
      ? catalog.views.get(view.name)
      : catalog.onDemandViews.get(view.name);
  if (known === view) return;
  throw new FreshetError(
    'FEATURE_VIEW_NOT_FOUND',
    known === undefined
      ? `${kind} "${user}" uses view "${view.name}", which is not among the definitions`
      : `${kind} "${user}" uses another view of the name "${view.name}" than the one defined`,
    {
      where: { view: view.name },
      next: `Export view "${view.name}" from a definition file, once.`,
    },
  );
}

/** Two references under one alias must not give the same feature: not even full names tell them apart. */
function requireDistinctFeatures(service: FeatureService): void {
  const seen = new Set<string>();
  for (const ref of service.features) {
    for (const name of fullNames(ref)) {
      if (seen.has(name)) {
        throw new FreshetError(
          'FEATURE_NAME_COLLISION',
          `service "${service.name}" has "${name}" twice`,
          {
            next: 'Give one of the two another name with withName, or select it once.',
          },
        );
      }
      seen.add(name);
    }
  }
}

function fullNames(ref: FeatureRef): string[] {
  const alias = ref.kind === 'projection' ? ref.alias : viewOf(ref).name;
  return featuresOf(ref).map((feature) => `${alias}__${feature}`);
}

/** The features a reference asks for, in order. */
export function featuresOf(ref: FeatureRef): readonly string[] {
  return 'features' in ref ? ref.features : Object.keys(ref.schema);
}

/** An entity row has one column a name, so all views that join on it must agree on its type. */
function requireOneTypeAColumn(service: FeatureService): void {
  const types = new Map<string, { readonly type: string; readonly view: string }>();
  for (const { view, joinKeyMap } of service.features.flatMap(projectionsOf)) {
    for (const [key, type] of Object.entries(view.joinKeys)) {
      const column = joinKeyMap[key] ?? key;
      const first = types.get(column);
      if (first !== undefined && first.type !== type) {
        throw new FreshetError(
          'DEFINITION_INVALID',
          `service "${service.name}": join key "${column}" is ${first.type} in view "${first.view}" ` +
            `but ${type} in view "${view.name}"`,
          { next: 'Give one of the two another column with withJoinKeyMap.' },
        );
      }
      types.set(column, { type, view: view.name });
    }
  }
}

/** What a reference joins: a view or projection itself, the sources of an on-demand view. */
export function projectionsOf(ref: FeatureRef): readonly ViewProjection[] {
  if (ref.kind === 'projection') return [ref];
  if (ref.kind === 'featureView') return [makeProjection(ref)];
  return (ref.kind === 'onDemandProjection' ? ref.view : ref).projections;
}
