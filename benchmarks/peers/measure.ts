/** What cells measure, in the same way on both sides. */

/** What a cell prints, as JSON; times are wall times. */
export interface CellResult {
  /** Of materializing, joining and streaming. */
  readonly seconds?: number;
  /** Microseconds, p50 and p99, of online reads of one entity and of a hundred. */
  readonly one?: readonly [number, number];
  readonly hundred?: readonly [number, number];
  /** The greatest resident memory of the process. */
  readonly rssMb: number;
  /** What both sides must agree about. */
  readonly answer: readonly number[];
}

/** Times as many runs as are counted: a service runs for hours, and its code is compiled in seconds. */
const WARM_UP_OF = 3;

/** Seconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1_000;
}

/** Microseconds of `count` runs, p50 and p99, after some that are not counted. */
export async function percentiles(
  work: (i: number) => Promise<unknown>,
  count: number,
): Promise<[number, number]> {
  for (let i = 0; i < count * WARM_UP_OF; i++) await work(i);
  const micros: number[] = [];
  for (let i = 0; i < count; i++) micros.push((await timed(() => work(i))) * 1e6);
  micros.sort((a, b) => a - b);
  return [micros[Math.floor(count * 0.5)] as number, micros[Math.floor(count * 0.99)] as number];
}

export function rssMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1_024);
}
