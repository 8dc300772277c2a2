import { FreshetError } from '../errors.ts';

/** A column of an answer, and whose it is. */
export interface NamedColumn {
  readonly name: string;
  readonly what: 'join key' | 'feature';
  /** The view's name in this request. */
  readonly alias: string;
  readonly feature?: string;
}

/** @throws FreshetError FEATURE_NAME_COLLISION naming both views */
export function requireDistinctNames(columns: readonly NamedColumn[]): void {
  const seen = new Map<string, NamedColumn>();
  for (const column of columns) {
    const first = seen.get(column.name);
    if (first === undefined) {
      seen.set(column.name, column);
      continue;
    }
    const twice = first.what === column.what && first.alias === column.alias;
    throw new FreshetError(
      'FEATURE_NAME_COLLISION',
      twice
        ? `feature "${column.name}" of view "${column.alias}" is asked for twice`
        : `"${column.name}" is a ${first.what} of view "${first.alias}" and a ${column.what} of view "${column.alias}"`,
      {
        where: { view: column.alias, feature: column.feature ?? column.name },
        ...(twice && {
          next: 'Ask for it once, or give one of the two another name with withName.',
        }),
      },
    );
  }
}
