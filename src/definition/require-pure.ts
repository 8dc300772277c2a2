import { FreshetError } from '../errors.ts';
import { functionText } from './function-text.ts';

/** What gives another answer for the same row: the clock, and chance. */
const IMPURE: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bDate\.now\b/, 'Date.now'],
  [/\bnew Date\(\)/, 'new Date()'],
  [/\bperformance\.now\b/, 'performance.now'],
  [/\bprocess\.hrtime\b/, 'process.hrtime'],
  [/\bMath\.random\b/, 'Math.random'],
  [/\brandom(UUID|Bytes|Int|FillSync)\b/, 'random values'],
  [/\bgetRandomValues\b/, 'getRandomValues'],
];

/**
 * Refuses a function of a definition that reads the clock or chance: it would give one value online
 * and another in training. What its text does not show is caught when it runs, by asking twice.
 * @throws FreshetError DEFINITION_INVALID
 */
export function requirePure(view: string, what: string, fn: (...args: never[]) => unknown): void {
  const text = functionText(fn);
  const found = IMPURE.find(([pattern]) => pattern.test(text));
  if (found === undefined) return;
  throw new FreshetError(
    'DEFINITION_INVALID',
    `view "${view}": ${what} reads ${found[1]}, which is another one online than in training`,
    {
      where: { view },
      next: 'Send what it needs with the request, as a field of a requestSource, or as a field of the row.',
    },
  );
}
