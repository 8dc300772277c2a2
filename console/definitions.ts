/** Questions about the catalogue. Pure. */
import type { Definition, DefinitionName, LineageEdge } from './answers.ts';

/** Definitions that have every word of the text in a name, a feature, a tag, the owner or the description. */
export function searchDefinitions(
  definitions: readonly Definition[],
  text: string,
): readonly Definition[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return definitions;
  return definitions.filter((definition) => {
    const hay = textOf(definition);
    return words.every((word) => hay.includes(word));
  });
}

/** What is made from it. */
export function usedBy(
  lineage: readonly LineageEdge[],
  definition: DefinitionName,
): DefinitionName[] {
  return lineage.filter(({ to }) => isSame(to, definition)).map(({ from }) => from);
}

/** What it is made from. */
export function madeFrom(
  lineage: readonly LineageEdge[],
  definition: DefinitionName,
): DefinitionName[] {
  return lineage.filter(({ from }) => isSame(from, definition)).map(({ to }) => to);
}

/** Features by name with their types, where the definition has any. */
export function schemaOf({ spec }: Definition): readonly (readonly [string, string])[] {
  return Object.entries((spec['schema'] ?? spec['joinKeys'] ?? {}) as Record<string, string>);
}

function textOf(definition: Definition): string {
  const { name, kind, description, owner, tags } = definition;
  const fields = schemaOf(definition).map(([field]) => field);
  const marks = Object.entries(tags).flat();
  return [name, kind, description, owner, ...marks, ...fields].join('\n').toLowerCase();
}

function isSame(a: DefinitionName, b: DefinitionName): boolean {
  return a.kind === b.kind && a.name === b.name;
}
