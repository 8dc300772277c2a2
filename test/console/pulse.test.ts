import { describe, expect, it } from 'vitest';
import type { Overview } from '../../console/answers.ts';
import { addBeat, type Beat, rateAt } from '../../console/pulse.ts';

function overview(nowMs: number, rows: number, reads = 0): Overview {
  const source = { rows, rejected: 1, lagRecords: 5 } as Overview['sources'][number];
  return { nowMs, sources: [source], reads: { reads } } as unknown as Overview;
}

function beatsOf(...overviews: Overview[]): readonly Beat[] {
  return overviews.reduce<readonly Beat[]>(addBeat, []);
}

describe('the pulse', () => {
  it('is what was counted over the last seconds', () => {
    const beats = beatsOf(...[0, 1, 2, 3, 4, 5].map((s) => overview(s * 1_000, s * s * 10, s)));
    expect(rateAt(beats, 'rows')).toBe((250 - 10) / 4);
    expect(rateAt(beats, 'reads')).toBe(1);
    expect(rateAt(beats, 'rows', 1)).toBe(10);
    expect(rateAt(beats, 'rows', 0)).toBeNull();
    expect(rateAt([], 'rows')).toBeNull();
  });

  it('keeps three minutes', () => {
    const beats = beatsOf(...Array.from({ length: 500 }, (_, s) => overview(s * 1_000, s)));
    expect(beats).toHaveLength(180);
    expect(beats.at(-1)?.atMs).toBe(499_000);
  });

  it('takes an answer once, and begins anew when a server was started again', () => {
    const one = overview(1_000, 10);
    expect(beatsOf(one, one)).toHaveLength(1);
    expect(beatsOf(one, overview(2_000, 3))).toHaveLength(1);
    expect(beatsOf(one, overview(500, 20))).toHaveLength(1);
    expect(beatsOf(overview(1_000, 1, 9), overview(2_000, 1, 0))).toHaveLength(1);
  });
});
