import { US_PER_SECOND } from '../../core/time.ts';
import type { Aggregator } from '../aggregator.ts';

interface NewestIr {
  eventTimeUs: number | null;
}

/** Seconds from the newest row (or value that is not null) to the time of the read. */
export const timeSinceLastAggregator: Aggregator<NewestIr> = {
  outputType: 'float64',
  create: () => ({ eventTimeUs: null }),
  update: (ir, column, rows, i) => {
    if (column !== null && column.valid[i] === 0) return;
    take(ir, rows.eventTimesUs[i] as number);
  },
  merge: (into, from) => {
    if (from.eventTimeUs !== null) take(into, from.eventTimeUs);
  },
  finalize: (ir, atUs) =>
    ir.eventTimeUs === null ? null : (atUs - ir.eventTimeUs) / US_PER_SECOND,
  encode: (ir, out) => {
    out.u8(ir.eventTimeUs === null ? 0 : 1);
    if (ir.eventTimeUs !== null) out.f64(ir.eventTimeUs);
  },
  decode: (input) => ({ eventTimeUs: input.u8() === 0 ? null : input.f64() }),
};

function take(ir: NewestIr, eventTimeUs: number): void {
  if (ir.eventTimeUs === null || eventTimeUs > ir.eventTimeUs) ir.eventTimeUs = eventTimeUs;
}
