import { FreshetError } from '../errors.ts';

const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
const NAME_LENGTH_MAX = 128;

/**
 * Names become column names and file names: letters, digits and single underscores, because
 * `view__feature` is the full name of a feature.
 * @throws FreshetError DEFINITION_INVALID
 */
export function requireName(kind: string, name: unknown): asserts name is string {
  const valid =
    typeof name === 'string' &&
    NAME.test(name) &&
    name.length <= NAME_LENGTH_MAX &&
    !name.includes('__');
  if (!valid) {
    throw new FreshetError('DEFINITION_INVALID', `"${String(name)}" is not a name for a ${kind}`, {
      next: 'A name starts with a letter and has letters, digits and single underscores, 128 at most.',
    });
  }
}
