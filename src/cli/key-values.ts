import { FreshetError } from '../errors.ts';

/** An entity row of arguments `name=value`. @throws FreshetError INVALID_ARGUMENT */
export function rowOfKeys(keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    keys.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), keyValue(text.slice(at + 1))];
      throw new FreshetError('INVALID_ARGUMENT', `"${text}" is not name=value`);
    }),
  );
}

/** Truth values and decimals as such; all else as text, which every type of key accepts. */
function keyValue(text: string): unknown {
  if (/^-?\d+\.\d+$/.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}
