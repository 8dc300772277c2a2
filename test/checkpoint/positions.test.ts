import { describe, expect, it } from 'vitest';
import {
  decodePositions,
  encodePositions,
  type Positions,
  resumeOffset,
  startPositions,
} from '../../src/checkpoint/positions.ts';

const POSITIONS: Positions = {
  applied: 120,
  appliedMaxEventTimeUs: 1_700_000_000_000_001,
  sealed: 100,
  sealedMaxEventTimeUs: -5,
  intent: 110,
  reported: 120,
  counted: 119,
  outboxNext: 3,
  outboxMarks: { 'dead-letters-0': 12 },
  counters: { rows: 117, rejected: 3, late: { stats: 4 } },
};

/** Stores on disk have these bytes. */
const GOLDEN =
  '{"version":1,"applied":120,"appliedMaxEventTimeUs":1700000000000001,"sealed":100,' +
  '"sealedMaxEventTimeUs":-5,"intent":110,"reported":120,"counted":119,"outboxNext":3,' +
  '"outboxMarks":{"dead-letters-0":12},"counters":{"rows":117,"rejected":3,"late":{"stats":4}}}';

describe('the bytes of positions', () => {
  it('never change, whatever order the fields were set in', () => {
    expect(Buffer.from(encodePositions(POSITIONS)).toString()).toBe(GOLDEN);
    const shuffled = Object.fromEntries(Object.entries(POSITIONS).reverse());
    expect(Buffer.from(encodePositions(shuffled as unknown as Positions)).toString()).toBe(GOLDEN);
  });

  it('come back as they were', () => {
    expect(decodePositions(Buffer.from(GOLDEN))).toEqual(POSITIONS);
    expect(decodePositions(encodePositions(startPositions(7)))).toEqual(startPositions(7));
  });

  it('of a newer version are STORE_VERSION', () => {
    const newer = Buffer.from(GOLDEN.replace('"version":1', '"version":2'));
    expect(() => decodePositions(newer)).toThrowError(
      expect.objectContaining({ code: 'STORE_VERSION', message: expect.stringContaining('2') }),
    );
  });

  it.each([
    ['no JSON', '{"version":1,'],
    ['no object', 'null'],
    ['an array', '[1]'],
    ['without a version', GOLDEN.replace('"version":1,', '')],
    ['without a position', GOLDEN.replace('"sealed":100,', '')],
    ['with half an offset', GOLDEN.replace('"applied":120', '"applied":120.5')],
    ['with an offset below zero', GOLDEN.replace('"reported":120', '"reported":-1')],
    ['with an intent below sealed', GOLDEN.replace('"intent":110', '"intent":100')],
    ['with a time that is text', GOLDEN.replace('-5', '"-5"')],
    ['with a mark that is no offset', GOLDEN.replace(':12}', ':null}')],
    ['without counters', GOLDEN.replace(/,"counters".*$/, '}')],
    ['with counters of another kind', GOLDEN.replace('"rows":117', '"rows":"117"')],
    ['without late counts', GOLDEN.replace(',"late":{"stats":4}', '')],
    ['with a late count that is none', GOLDEN.replace('"stats":4', '"stats":-4')],
  ])('%s are STORE_CORRUPT', (_, text) => {
    expect(() => decodePositions(Buffer.from(text))).toThrowError(
      expect.objectContaining({ code: 'STORE_CORRUPT' }),
    );
  });

  it('are never written with an intent that is no cut', () => {
    expect(() => encodePositions({ ...POSITIONS, intent: 100 })).toThrow('not above sealed');
  });
});

describe('reading', () => {
  it('resumes at the smaller of applied and sealed', () => {
    expect(resumeOffset(POSITIONS)).toBe(100);
    expect(resumeOffset({ ...POSITIONS, applied: 40 })).toBe(40);
    expect(resumeOffset(startPositions(9))).toBe(9);
  });
});
