/** Figures and times for people. Pure; times are UTC. */

const COMPACT = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;
const SPANS = [
  [365.25 * 86_400, 'y'],
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const;

/** `3,000,000` */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** Three digits at most: `482`, `12.3k`, `3M`. */
export function formatCompact(value: number): string {
  for (const [size, letter] of COMPACT) {
    // What rounds up to the next size is written in it.
    if (Math.abs(value) >= size * 0.9995) return `${threeDigits(value / size)}${letter}`;
  }
  return threeDigits(value);
}

/** Decimal units: `21.4 MB`. */
export function formatBytes(bytes: number): string {
  const text = formatCompact(bytes);
  const letter = /[kMGT]$/.exec(text)?.[0] ?? '';
  return `${letter === '' ? text : text.slice(0, -1)} ${letter}B`;
}

/** The greatest unit that fits: `3.2 s`, `25.4 y`; below a second `12 ms`. */
export function formatSpan(ms: number): string {
  if (ms < 0) return `−${formatSpan(-ms)}`;
  const seconds = ms / 1_000;
  for (const [size, unit] of SPANS) {
    if (seconds >= size * 0.9995) return `${threeDigits(seconds / size)} ${unit}`;
  }
  return ms >= 1 || ms === 0 ? `${threeDigits(ms)} ms` : `${threeDigits(ms * 1_000)} µs`;
}

/** `2001-06-30 18:12:00`, with the fraction of the second if there is one. */
export function formatTimeUs(us: number): string {
  const seconds = Math.floor(us / 1e6);
  const fraction = String(us - seconds * 1e6)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const text = new Date(seconds * 1_000).toISOString().slice(0, 19).replace('T', ' ');
  return fraction === '' ? text : `${text}.${fraction}`;
}

/** A value of a feature in one line; null is `null`. */
export function formatValue(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && !Number.isInteger(value))
    return String(Number(value.toPrecision(9)));
  if (typeof value === 'number') return formatCount(value);
  return JSON.stringify(value) ?? 'null';
}

/** `1 row`, `2 rows`. */
export function formatPlural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 99.95 || Number.isInteger(value) ? 0 : size >= 9.995 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
