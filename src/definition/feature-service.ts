import { type Metadata, metadata, type Tags } from './entity.ts';
import type { FeatureView } from './feature-view.ts';
import { requireName } from './name.ts';
import type { OnDemandFeatureView, OnDemandProjection } from './on-demand-feature-view.ts';
import type { ViewProjection } from './projection.ts';

/** Anything that can be asked for: a view, a part of one, or an on-demand view. */
export type FeatureRef = FeatureView | ViewProjection | OnDemandFeatureView | OnDemandProjection;

/** The features one model reads, by name. */
export interface FeatureService<Refs extends readonly FeatureRef[] = readonly FeatureRef[]> {
  readonly kind: 'featureService';
  readonly name: string;
  readonly features: Refs;
  readonly description: string;
  readonly tags: Tags;
  readonly owner: string;
}

/**
 * @example
 * featureService({
 *   name: 'delay_model',
 *   features: [
 *     airportStats.withName('origin_stats').withJoinKeyMap({ airport: 'origin' }),
 *     airportStats.select('delay').withName('destination_stats').withJoinKeyMap({ airport: 'destination' }),
 *   ],
 * })
 * @throws FreshetError DEFINITION_INVALID
 */
export function featureService<const Refs extends readonly FeatureRef[]>(
  spec: { readonly name: string; readonly features: Refs } & Metadata,
): FeatureService<Refs> {
  requireName('feature service', spec.name);
  return Object.freeze({
    kind: 'featureService',
    name: spec.name,
    features: Object.freeze([...spec.features]) as unknown as Refs,
    ...metadata(spec),
  });
}
