import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatDuration,
  formatTimestampUs,
  parseDurationUs,
  toTimestampUs,
  US_PER_MS,
} from '../../src/core/time.ts';

describe('a timestamp', () => {
  it('is read from microseconds, a Date and text alike', () => {
    const us = Date.UTC(2026, 0, 31, 12) * US_PER_MS;
    expect(toTimestampUs(us)).toBe(us);
    expect(toTimestampUs(new Date('2026-01-31T12:00:00Z'))).toBe(us);
    expect(toTimestampUs('2026-01-31T12:00:00Z')).toBe(us);
    expect(toTimestampUs('2026-01-31 12:00')).toBe(us);
  });

  it('is UTC when its text has no offset, and is converted when it has one', () => {
    expect(toTimestampUs('2026-01-31')).toBe(toTimestampUs('2026-01-31T00:00:00Z'));
    expect(toTimestampUs('2026-01-31T12:00:00')).toBe(toTimestampUs('2026-01-31T12:00:00Z'));
    expect(toTimestampUs('2026-01-31T12:00:00+02:00')).toBe(toTimestampUs('2026-01-31T10:00:00Z'));
    expect(toTimestampUs('2026-01-31T12:00:00-0530')).toBe(toTimestampUs('2026-01-31T17:30:00Z'));
    expect(toTimestampUs('2026-01-31T12:00:00+02')).toBe(toTimestampUs('2026-01-31T10:00:00Z'));
  });

  it('keeps microseconds and cuts what is finer', () => {
    expect(toTimestampUs('1970-01-01T00:00:00.000001Z')).toBe(1);
    expect(toTimestampUs('1970-01-01T00:00:00.0000019Z')).toBe(1);
    expect(toTimestampUs('1970-01-01T00:00:00.1Z')).toBe(100_000);
    expect(toTimestampUs('1969-12-31T23:59:59.999999Z')).toBe(-1);
  });

  it.each([
    '',
    'yesterday',
    '2026-02-30',
    '2026-13-01',
    '2026-01-01T24:00:00Z',
    '2026-1-1',
    '12:00',
  ])('is refused as %o', (text) => {
    expect(() => toTimestampUs(text)).toThrow(expect.objectContaining({ code: 'VALUE_TYPE' }));
  });

  it('is refused when it is no instant at all', () => {
    for (const value of [Number.NaN, 0.5, 2 ** 53, new Date(Number.NaN)]) {
      expect(() => toTimestampUs(value)).toThrow(expect.objectContaining({ code: 'VALUE_TYPE' }));
    }
  });

  it('is written as text that reads back as the same microsecond', () => {
    const first = toTimestampUs('1700-01-01');
    const last = toTimestampUs('2254-12-31');
    fc.assert(
      fc.property(fc.integer({ min: first, max: last }), (us) => {
        expect(toTimestampUs(formatTimestampUs(us))).toBe(us);
      }),
    );
  });

  it('is written with microseconds only when it has any', () => {
    expect(formatTimestampUs(1_000)).toBe('1970-01-01T00:00:00.001Z');
    expect(formatTimestampUs(1_001)).toBe('1970-01-01T00:00:00.001001Z');
  });
});

describe('a duration', () => {
  it.each([
    ['500ms', 500_000],
    ['30s', 30_000_000],
    ['15m', 900_000_000],
    ['1.5h', 5_400_000_000],
    ['7d', 604_800_000_000],
    ['2w', 1_209_600_000_000],
  ] as const)('%s is %d microseconds', (text, us) => {
    expect(parseDurationUs(text)).toBe(us);
  });

  it.each(['', '5', 'm', '-1s', '1e3s', '1y', '1 h', '0.0001ms'])('is refused as %o', (text) => {
    expect(() => parseDurationUs(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });

  it('is written in the largest unit that is whole', () => {
    expect(formatDuration(0)).toBe('0ms');
    expect(formatDuration(86_400_000_000)).toBe('1d');
    expect(formatDuration(7 * 86_400_000_000)).toBe('7d');
    expect(formatDuration(90_000_000)).toBe('90s');
    expect(formatDuration(8 * 7 * 86_400_000_000)).toBe('8w');
  });

  it('is written as text that reads back as the same span', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (ms) => {
        expect(parseDurationUs(formatDuration(ms * US_PER_MS))).toBe(ms * US_PER_MS);
      }),
    );
  });
});
