import { createHash } from 'node:crypto';
import { canonicalJson } from '../core/coerce.ts';
import type { JsonValue } from '../core/field-type.ts';
import type { AggregationSpec, Windowing } from './aggregation-spec.ts';
import type { Definition } from './catalog.ts';
import { projectionsOf } from './catalog.ts';
import type { FeatureRef } from './feature-service.ts';
import type { FeatureView } from './feature-view.ts';
import { functionText } from './function-text.ts';
import type { ViewProjection } from './projection.ts';

/** A definition as data: what the registry keeps and compares. Functions are kept as their text. */
export interface DefinitionRecord {
  readonly kind: Definition['kind'];
  readonly name: string;
  /** Everything that gives the definition its meaning. */
  readonly spec: Readonly<Record<string, JsonValue>>;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly owner: string;
  /** Of `spec`: equal for definitions that mean the same. */
  readonly fingerprint: string;
}

export function definitionRecord(definition: Definition): DefinitionRecord {
  const { kind, name, description, tags, owner } = definition;
  const spec = specOf(definition);
  return { kind, name, spec, description, tags: { ...tags }, owner, fingerprint: hash(spec) };
}

/**
 * Names what a view means, with its entities and sources: two views of one fingerprint give the same
 * values from the same rows. Sixteen hexadecimal digits.
 */
export function viewFingerprint(view: Definition & { kind: 'featureView' }): string {
  const sources = [view.streamSource, view.batchSource].map((s) => (s === null ? null : specOf(s)));
  return hash({ view: specOf(view), entities: view.entities.map(specOf), sources });
}

/**
 * Names what is stored of a view: while it is the same, stored state can be read and added to. A new
 * feature or another aggregation makes it another; so does sending sessions, for which there are
 * timers.
 */
export function stateFingerprint(view: FeatureView): string {
  const { joinKeys, schema, graceUs, windowing } = view;
  if (windowing === null) return hash({ joinKeys: { ...joinKeys }, schema: { ...schema } });
  const sessions = windowing.aggregations.some(({ window }) => window.kind === 'session');
  return hash({
    joinKeys: { ...joinKeys },
    graceUs,
    windowing: windowingSpec(windowing),
    ...(windowing.emit !== null && sessions && { timers: true }),
  });
}

type Spec = Record<string, JsonValue>;

function specOf(definition: Definition): Spec {
  switch (definition.kind) {
    case 'entity':
      return { joinKeys: { ...definition.joinKeys } };
    case 'featureView':
      return {
        entities: definition.entities.map(({ name }) => name),
        joinKeys: { ...definition.joinKeys },
        schema: { ...definition.schema },
        streamSource: definition.streamSource?.name ?? null,
        batchSource: definition.batchSource?.name ?? null,
        ttlUs: definition.ttlUs,
        graceUs: definition.graceUs,
        online: definition.online,
        offline: definition.offline,
        enabled: definition.enabled,
        windowing: definition.windowing === null ? null : windowingSpec(definition.windowing),
        ...(definition.windowing?.emit && { emit: { ...definition.windowing.emit } }),
      };
    case 'onDemandFeatureView':
      return {
        sources: definition.projections.map(projectionSpec),
        requestSources: definition.requestSources.map(({ name }) => name),
        schema: { ...definition.schema },
        transform: functionText(definition.transform),
      };
    case 'featureService':
      return { features: definition.features.flatMap(refSpecs) };
    default: {
      const { kind: _, name: _name, description: _d, tags: _t, owner: _o, ...spec } = definition;
      return JSON.parse(JSON.stringify(spec)) as Spec;
    }
  }
}

function refSpecs(ref: FeatureRef): JsonValue[] {
  if (ref.kind === 'onDemandFeatureView') return [{ view: ref.name, features: null }];
  if (ref.kind === 'onDemandProjection') {
    return [{ view: ref.view.name, features: [...ref.features] }];
  }
  return projectionsOf(ref).map(projectionSpec);
}

function projectionSpec({ view, alias, features, joinKeyMap }: ViewProjection): JsonValue {
  return { view: view.name, alias, features: [...features], joinKeyMap: { ...joinKeyMap } };
}

function windowingSpec({ where, derive, aggregations }: Windowing): JsonValue {
  return {
    where: where === null ? null : functionText(where),
    derive: Object.fromEntries(
      Object.entries(derive).map(([name, { type, of }]) => [name, { type, of: functionText(of) }]),
    ),
    aggregations: aggregations.map(aggregationSpec),
  };
}

function aggregationSpec(spec: AggregationSpec): JsonValue {
  return JSON.parse(JSON.stringify(spec)) as JsonValue;
}

function hash(value: JsonValue): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 16);
}
