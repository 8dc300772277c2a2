import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCompact,
  formatCount,
  formatPlural,
  formatSpan,
  formatTimeUs,
  formatValue,
} from '../../console/format.ts';

describe('figures', () => {
  it('have three digits at most where room is short', () => {
    const cases = [0, 7, 482, 999.4, 999.7, 1_000, 12_345, 999_949, 1_234_567, 3e9, 0.1234, -1_500];
    expect(cases.map(formatCompact)).toEqual([
      '0',
      '7',
      '482',
      '999',
      '1k',
      '1k',
      '12.3k',
      '1M',
      '1.23M',
      '3G',
      '0.12',
      '-1.5k',
    ]);
    expect([0, 999, 21_389_553].map(formatBytes)).toEqual(['0 B', '999 B', '21.4 MB']);
  });

  it('are whole where it is not', () => {
    expect(formatCount(3_000_000)).toBe('3,000,000');
    expect([0, 1, 2_000].map((count) => formatPlural(count, 'row'))).toEqual([
      '0 rows',
      '1 row',
      '2,000 rows',
    ]);
  });
});

describe('times', () => {
  it('span the greatest unit that fits', () => {
    const cases = [0, 0.02, 12, 999.9, 3_200, 90_000, 7_200_000, 36 * 3_600_000, 8e11, -5_000];
    expect(cases.map(formatSpan)).toEqual([
      '0 ms',
      '20 µs',
      '12 ms',
      '1 s',
      '3.2 s',
      '1.5 min',
      '2 h',
      '1.5 d',
      '25.4 y',
      '−5 s',
    ]);
  });

  it('are UTC, to the microsecond if they are', () => {
    expect(formatTimeUs(993_945_600_000_000)).toBe('2001-07-01 00:00:00');
    expect(formatTimeUs(993_945_600_000_001)).toBe('2001-07-01 00:00:00.000001');
    expect(formatTimeUs(993_945_600_120_000)).toBe('2001-07-01 00:00:00.12');
    expect(formatTimeUs(-1)).toBe('1969-12-31 23:59:59.999999');
  });
});

describe('a value', () => {
  it('is one line, of every type', () => {
    const cases = [
      'ATL',
      7,
      0.1 + 0.2,
      null,
      true,
      [1, 2],
      { a: 1 },
      '9007199254740993',
      undefined,
    ];
    expect(cases.map(formatValue)).toEqual([
      'ATL',
      '7',
      '0.3',
      'null',
      'true',
      '[1,2]',
      '{"a":1}',
      '9007199254740993',
      'null',
    ]);
  });
});
