import { avroIncompatibilities } from '../../src/codec/index.ts';

/** Confluent's levels: which of the old and the new schema must read the other's data. */
export const COMPATIBILITY_LEVELS = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const;

export type CompatibilityLevel = (typeof COMPATIBILITY_LEVELS)[number];

export function isCompatibilityLevel(level: unknown): level is CompatibilityLevel {
  return (COMPATIBILITY_LEVELS as readonly unknown[]).includes(level);
}

/**
 * Why a schema may not follow earlier ones (oldest first); empty when it may. Levels that are not
 * transitive look at the newest alone.
 */
export function compatibilityFaults(
  level: CompatibilityLevel,
  schema: string,
  earlier: readonly string[],
): string[] {
  const compared = level.endsWith('_TRANSITIVE') ? earlier : earlier.slice(-1);
  const readsOld = level.startsWith('BACKWARD') || level.startsWith('FULL');
  const readByOld = level.startsWith('FORWARD') || level.startsWith('FULL');
  return compared.flatMap((old) => [
    ...(readsOld ? avroIncompatibilities(schema, old) : []),
    ...(readByOld ? avroIncompatibilities(old, schema) : []),
  ]);
}
