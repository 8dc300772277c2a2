import type { Overview } from './answers.ts';

/** One moment of the whole. */
export interface Beat {
  readonly atMs: number;
  readonly rows: number;
  readonly reads: number;
  readonly lagRecords: number;
}

/** Beats that are kept: three minutes of one a second. */
const BEATS_MAX = 180;
/** A rate is taken over this time, so that it does not jump with each micro-batch. */
const RATE_MS = 4_000;

/** The beats with that of an overview; a clock that went back, or counts that fell, begin anew. */
export function addBeat(beats: readonly Beat[], overview: Overview): readonly Beat[] {
  const { sources, nowMs, reads } = overview;
  const sum = (of: (source: (typeof sources)[number]) => number): number =>
    sources.reduce((total, source) => total + of(source), 0);
  const beat = {
    atMs: nowMs,
    rows: sum(({ rows, rejected }) => rows + rejected),
    reads: reads.reads,
    lagRecords: sum(({ lagRecords }) => lagRecords),
  };
  const last = beats.at(-1);
  if (last === undefined) return [beat];
  if (last.atMs === beat.atMs) return beats;
  if (last.atMs > beat.atMs || last.rows > beat.rows || last.reads > beat.reads) return [beat];
  return [...beats, beat].slice(-BEATS_MAX);
}

/** What was counted a second until the beat at `at`; null where no earlier one says. */
export function rateAt(
  beats: readonly Beat[],
  of: 'rows' | 'reads',
  at: number = beats.length - 1,
): number | null {
  const now = beats[at];
  if (now === undefined || at === 0) return null;
  let from = at - 1;
  while (from > 0 && now.atMs - (beats[from] as Beat).atMs < RATE_MS) from--;
  const before = beats[from] as Beat;
  return ((now[of] - before[of]) * 1_000) / (now.atMs - before.atMs);
}
