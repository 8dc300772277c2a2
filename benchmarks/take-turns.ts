/** Microseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

export interface Turns {
  readonly ours: Latency;
  readonly bare: Latency;
}

type Read = (i: number) => Promise<unknown>;

/**
 * Latencies of two kinds of reads that take turns. What waits for a thread of the pool waits for it
 * to wake, too, unless one read follows another at once: of two loops, the one with less work between
 * its reads would seem several times faster than it is. `warmUp` turns are not counted; the compiler
 * is done with JavaScript after some thousands.
 */
export async function takeTurns(
  count: number,
  warmUp: number,
  ours: Read,
  bare: Read,
): Promise<Turns> {
  for (let i = 0; i < warmUp; i++) {
    await ours(i);
    await bare(i);
  }
  const oursUs = new Float64Array(count);
  const bareUs = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    await ours(i);
    const between = performance.now();
    await bare(i);
    bareUs[i] = (performance.now() - between) * 1_000;
    oursUs[i] = (between - began) * 1_000;
  }
  return { ours: latencyOf(oursUs), bare: latencyOf(bareUs) };
}

function latencyOf(us: Float64Array): Latency {
  us.sort();
  const at = (part: number): number => us[Math.floor(us.length * part)] as number;
  return { p50: at(0.5), p99: at(0.99) };
}
