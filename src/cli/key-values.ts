import { FreshetError } from '../errors.ts';

/**
 * An entity row of arguments `name=value`. `severalRows` says how the command takes more than one.
 * @throws FreshetError INVALID_ARGUMENT, also for a name that is there twice
 */
export function rowOfKeys(keys: readonly string[], severalRows: string): Record<string, unknown> {
  const row = new Map<string, unknown>();
  for (const text of keys) {
    const at = text.indexOf('=');
    if (at <= 0) throw new FreshetError('INVALID_ARGUMENT', `"${text}" is not name=value`);
    const name = text.slice(0, at);
    if (row.has(name)) {
      const what = `"${name}" is given twice: name=value arguments are one entity row`;
      throw new FreshetError('INVALID_ARGUMENT', what, {
        where: { key: name },
        next: severalRows,
      });
    }
    row.set(name, keyValue(text.slice(at + 1)));
  }
  return Object.fromEntries(row);
}

/** Truth values and decimals as such; all else as text, which every type of key accepts. */
function keyValue(text: string): unknown {
  if (/^-?\d+\.\d+$/.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}
