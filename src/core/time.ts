/**
 * Time is kept as whole microseconds since 1970-01-01 UTC in a JavaScript number, which is exact
 * until the year 2255. Names end in `Us` for microseconds and `Ms` for milliseconds.
 */
import { FreshetError } from '../errors.ts';

export const US_PER_MS = 1_000;
export const US_PER_SECOND = 1_000_000;

/** A span of time with its unit, such as `30s`, `15m`, `1.5h`, `7d`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd' | 'w'}`;

/** Something that names an instant: microseconds, a Date, or ISO 8601 text (UTC unless it says otherwise). */
export type TimestampInput = number | Date | string;

const UNIT_US: Readonly<Record<string, number>> = {
  ms: US_PER_MS,
  s: US_PER_SECOND,
  m: 60 * US_PER_SECOND,
  h: 3_600 * US_PER_SECOND,
  d: 86_400 * US_PER_SECOND,
  w: 7 * 86_400 * US_PER_SECOND,
};

/** Parses a duration to microseconds. @throws FreshetError INVALID_ARGUMENT */
export function parseDurationUs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text.trim());
  const us = match ? Number(match[1]) * (UNIT_US[match[2] as string] as number) : Number.NaN;
  if (!Number.isSafeInteger(us)) {
    throw new FreshetError('INVALID_ARGUMENT', `"${text}" is not a duration`, {
      next: 'Write a number and a unit: 500ms, 30s, 15m, 6h, 7d or 2w.',
    });
  }
  return us;
}

/** Writes microseconds as the shortest exact duration: 86_400_000_000 is `1d`. */
export function formatDuration(us: number): string {
  for (const unit of ['w', 'd', 'h', 'm', 's', 'ms'] as const) {
    const size = UNIT_US[unit] as number;
    if (us >= size && us % size === 0 && (unit !== 'w' || us > 4 * size))
      return `${us / size}${unit}`;
  }
  return us === 0 ? '0ms' : `${us / US_PER_MS}ms`;
}

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * Microseconds of an instant. Text without an offset is UTC; never local time. Digits beyond the
 * microsecond are cut. @throws FreshetError VALUE_TYPE
 */
export function toTimestampUs(input: TimestampInput | bigint): number {
  if (typeof input === 'number' && Number.isSafeInteger(input)) return input;
  if (typeof input === 'bigint') return Number(input);
  if (input instanceof Date && !Number.isNaN(input.getTime())) return input.getTime() * US_PER_MS;
  const us = typeof input === 'string' ? parseIsoUs(input) : Number.NaN;
  if (Number.isNaN(us)) {
    throw new FreshetError('VALUE_TYPE', `${String(input)} is not a timestamp`, {
      next: 'Send whole microseconds, a Date, or ISO 8601 text such as 2026-01-31T12:00:00.000001Z.',
    });
  }
  return us;
}

function parseIsoUs(text: string): number {
  const match = ISO.exec(text.trim());
  if (match === null) return Number.NaN;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match;
  const ms = Date.UTC(+year!, +month! - 1, +day!, +hour, +minute, +second);
  const date = new Date(ms);
  if (
    date.getUTCMonth() !== +month! - 1 ||
    date.getUTCDate() !== +day! ||
    +hour > 23 ||
    +minute > 59
  ) {
    return Number.NaN;
  }
  const micros = +fraction.padEnd(6, '0').slice(0, 6);
  return ms * US_PER_MS + micros - zoneOffsetUs(zone);
}

function zoneOffsetUs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z' || zone === 'z') return 0;
  const minutes = +zone.slice(1, 3) * 60 + +(zone.slice(3).replace(':', '') || '0');
  return (zone[0] === '-' ? -minutes : minutes) * 60 * US_PER_SECOND;
}

/** ISO 8601 UTC text, with microseconds only when there are any. */
export function formatTimestampUs(us: number): string {
  const ms = Math.floor(us / US_PER_MS);
  const micros = us - ms * US_PER_MS;
  const text = new Date(ms).toISOString();
  return micros === 0 ? text : `${text.slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}
