/**
 * What a request names, looked up in the catalog. Whatever module a reference came from, the
 * definition that counts is the catalog's of that name.
 */
import { didYouMean } from '../core/nearest.ts';
import {
  type Catalog,
  type FeatureRef,
  type FeatureService,
  type FeatureView,
  featuresOf,
  makeProjection,
  type OnDemandFeatureView,
  type ViewProjection,
  viewOf,
} from '../definition/index.ts';
import { FreshetError } from '../errors.ts';

/** Exactly one of `features` and `service`; a service may stand in either. */
export interface FeatureRequest {
  /** Views, parts of them, on-demand views, and `view:feature` strings. */
  readonly features?: readonly (FeatureRef | string)[] | FeatureService;
  /** A service or the name of one. */
  readonly service?: FeatureService | string;
  /** Name the outputs `alias__feature`. Default false. */
  readonly fullFeatureNames?: boolean;
}

/** A part of the request, with the definitions of the catalog. */
export type ResolvedRef =
  | { readonly kind: 'projection'; readonly projection: ViewProjection }
  | {
      readonly kind: 'onDemand';
      readonly view: OnDemandFeatureView;
      readonly features: readonly string[];
    };

/**
 * @throws FreshetError INVALID_ARGUMENT, FEATURE_VIEW_NOT_FOUND, FEATURE_NOT_FOUND,
 * FEATURE_SERVICE_NOT_FOUND
 */
export function resolveRequest(catalog: Catalog, request: FeatureRequest): ResolvedRef[] {
  return requestedRefs(catalog, request).map((ref) =>
    typeof ref === 'string' ? parseRef(catalog, ref) : resolveRef(catalog, ref),
  );
}

function requestedRefs(
  catalog: Catalog,
  { features, service }: FeatureRequest,
): readonly (FeatureRef | string)[] {
  if ((features === undefined) === (service === undefined)) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `${features === undefined ? 'neither' : 'both'} features and a feature service asked for`,
      { next: 'Give either features or one feature service.' },
    );
  }
  const asked = features ?? service;
  if (typeof asked === 'string') return resolveService(catalog, asked).features;
  const refs = asked !== undefined && 'kind' in asked ? asked.features : (asked ?? []);
  if (refs.length === 0) {
    throw new FreshetError('INVALID_ARGUMENT', 'no features asked for', {
      next: 'Name at least one feature as "view:feature", or a view.',
    });
  }
  return refs;
}

function resolveService(catalog: Catalog, name: string): FeatureService {
  const service = catalog.services.get(name);
  if (service !== undefined) return service;
  throw new FreshetError(
    'FEATURE_SERVICE_NOT_FOUND',
    `there is no feature service "${name}". ${didYouMean(name, catalog.services.keys())}`,
  );
}

function parseRef(catalog: Catalog, text: string): ResolvedRef {
  const [name, feature, ...rest] = text.split(':');
  if (!name || !feature || rest.length > 0) {
    const view = catalog.views.get(text) ?? catalog.onDemandViews.get(text);
    const [example = 'feature'] = Object.keys(view?.schema ?? {});
    throw new FreshetError('INVALID_ARGUMENT', `"${text}" does not name a feature`, {
      next:
        view === undefined
          ? 'Write "view:feature".'
          : `Write "${text}:${example}", or pass the view itself for all of its features.`,
    });
  }
  const view = catalog.views.get(name);
  if (view !== undefined) {
    requireFeature(view, feature);
    return { kind: 'projection', projection: makeProjection(view).select(feature as never) };
  }
  const onDemand = resolveOnDemandView(catalog, name);
  requireFeature(onDemand, feature);
  return { kind: 'onDemand', view: onDemand, features: [feature] };
}

function resolveRef(catalog: Catalog, ref: FeatureRef): ResolvedRef {
  const named = viewOf(ref);
  if (named.kind === 'featureView') {
    const projection = ref.kind === 'projection' ? ref : makeProjection(named);
    return { kind: 'projection', projection: resolveProjection(catalog, projection) };
  }
  const view = resolveOnDemandView(catalog, named.name);
  const features = featuresOf(ref);
  for (const feature of features) requireFeature(view, feature);
  return { kind: 'onDemand', view, features };
}

/** The same projection of the catalog's view. */
export function resolveProjection(catalog: Catalog, projection: ViewProjection): ViewProjection {
  const view = catalog.views.get(projection.view.name);
  if (view === undefined) throw viewNotFound(catalog, projection.view.name);
  for (const feature of projection.features) requireFeature(view, feature);
  if (view === projection.view) return projection;
  return makeProjection(view)
    .select(...(projection.features as never[]))
    .withName(projection.alias)
    .withJoinKeyMap(projection.joinKeyMap as never) as ViewProjection;
}

function resolveOnDemandView(catalog: Catalog, name: string): OnDemandFeatureView {
  const view = catalog.onDemandViews.get(name);
  if (view === undefined) throw viewNotFound(catalog, name);
  return view;
}

function requireFeature(view: FeatureView | OnDemandFeatureView, feature: string): void {
  if (Object.hasOwn(view.schema, feature)) return;
  throw new FreshetError(
    'FEATURE_NOT_FOUND',
    `view "${view.name}" has no feature "${feature}". ${didYouMean(feature, Object.keys(view.schema))}`,
    { where: { view: view.name, feature } },
  );
}

function viewNotFound(catalog: Catalog, name: string): FreshetError {
  const known = [...catalog.views.keys(), ...catalog.onDemandViews.keys()];
  return new FreshetError(
    'FEATURE_VIEW_NOT_FOUND',
    `there is no feature view "${name}". ${didYouMean(name, known)}`,
    { where: { view: name } },
  );
}
