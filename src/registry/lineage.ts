import type { DefinitionRecord } from '../definition/index.ts';

/** `from` is made from `to`: a view from its source, a service from its views. */
export interface LineageEdge {
  readonly from: DefinitionName;
  readonly to: DefinitionName;
}

export interface DefinitionName {
  readonly kind: DefinitionRecord['kind'];
  readonly name: string;
}

/** What every definition is made from, in the order of the definitions. */
export function lineage(definitions: readonly DefinitionRecord[]): LineageEdge[] {
  const kindOf = new Map(definitions.map(({ kind, name }) => [`${family(kind)} ${name}`, kind]));
  return definitions.flatMap(({ kind, name, spec }) =>
    usedBy(kind, spec).flatMap(([used, usedName]): LineageEdge[] => {
      const usedKind = kindOf.get(`${used} ${usedName}`);
      if (usedKind === undefined) return [];
      return [{ from: { kind, name }, to: { kind: usedKind, name: usedName } }];
    }),
  );
}

type Family = 'entity' | 'source' | 'view' | 'service';

function family(kind: DefinitionRecord['kind']): Family {
  if (kind === 'entity') return 'entity';
  if (kind === 'featureService') return 'service';
  return kind === 'featureView' || kind === 'onDemandFeatureView' ? 'view' : 'source';
}

function usedBy(
  kind: DefinitionRecord['kind'],
  spec: DefinitionRecord['spec'],
): (readonly [Family, string])[] {
  const names = (property: string): string[] => (spec[property] ?? []) as unknown as string[];
  const views = (property: string): string[] =>
    ((spec[property] ?? []) as unknown as { view: string }[]).map(({ view }) => view);
  switch (kind) {
    case 'featureView':
      return [
        ...names('entities').map((name) => ['entity', name] as const),
        ...[spec['streamSource'], spec['batchSource']]
          .filter((name) => typeof name === 'string')
          .map((name) => ['source', name] as const),
      ];
    case 'onDemandFeatureView':
      return [
        ...views('sources').map((name) => ['view', name] as const),
        ...names('requestSources').map((name) => ['source', name] as const),
      ];
    case 'featureService':
      return [...new Set(views('features'))].map((name) => ['view', name] as const);
    default:
      return [];
  }
}
