import { isKeyType, type KeyType } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import { requireName } from './name.ts';

/** What features describe: one or more join keys, the columns that hold its keys. */
export interface Entity<J extends KeySchema = KeySchema> {
  readonly kind: 'entity';
  readonly name: string;
  readonly joinKeys: J;
  readonly description: string;
  readonly tags: Tags;
  readonly owner: string;
}

export type KeySchema = Readonly<Record<string, KeyType>>;
export type Tags = Readonly<Record<string, string>>;

/** What every definition may carry beside its meaning; none of it is part of the fingerprint. */
export interface Metadata {
  readonly description?: string;
  readonly tags?: Tags;
  readonly owner?: string;
}

/**
 * @example entity({ name: 'airport', joinKeys: { origin: 'string' } })
 * @throws FreshetError DEFINITION_INVALID for a bad name, no join key or a type that cannot be a key
 */
export function entity<const J extends KeySchema>(
  spec: { readonly name: string; readonly joinKeys: J } & Metadata,
): Entity<J> {
  requireName('entity', spec.name);
  const names = Object.keys(spec.joinKeys);
  if (names.length === 0) {
    throw new FreshetError('DEFINITION_INVALID', `entity "${spec.name}" has no join key`, {
      next: 'Name at least one join key; for one global row leave the view without entities.',
    });
  }
  for (const name of names) {
    if (!isKeyType(spec.joinKeys[name])) {
      throw new FreshetError(
        'DEFINITION_INVALID',
        `join key "${name}" of entity "${spec.name}" has type ${String(spec.joinKeys[name])}`,
        { next: 'A join key is int32, int64, string, bool, bytes or timestamp.' },
      );
    }
  }
  return Object.freeze({
    kind: 'entity',
    name: spec.name,
    joinKeys: spec.joinKeys,
    ...metadata(spec),
  });
}

export function metadata(spec: Metadata): Required<Metadata> {
  return {
    description: spec.description ?? '',
    tags: Object.freeze({ ...spec.tags }),
    owner: spec.owner ?? '',
  };
}
