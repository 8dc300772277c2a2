import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/core/bytes.ts';
import { rowLayout } from '../../src/core/row-batch.ts';
import { RANK_STREAM } from '../../src/core/row-order.ts';
import {
  entity,
  type FeatureView,
  session,
  topicSource,
  type Windowing,
  windowedFeatureView,
} from '../../src/definition/index.ts';
import {
  applyRow,
  decodeSessions,
  encodeSessions,
  MemoryWindows,
  planWindows,
  type WindowGroup,
  windowRowReader,
} from '../../src/window/index.ts';
import { makeRows } from '../online/make-rows.ts';
import { generator, seeds } from './streams.ts';

const SCHEMA = { ts: 'timestamp', key: 'string' } as const;
const GAP_US = 10;
const GRACE_US = 5;

const view = windowedFeatureView({
  name: 'visits',
  entities: [entity({ name: 'key', joinKeys: { key: 'string' } })],
  source: topicSource({ name: 'visits', topic: 'visits', schema: SCHEMA, timestampField: 'ts' }),
  grace: '0.005ms',
  aggregations: [{ name: 'visits', function: 'count', window: session('0.01ms') }],
}) as unknown as FeatureView;
const windowing = view.windowing as Windowing;
const plan = planWindows(view, windowing);
const group = plan.groups[0] as WindowGroup;

interface Visit {
  readonly at: number;
  readonly lateByUs?: number;
}

/** Bounds of the sessions of some visits, and how many of them counted. */
function sessionsOf(visits: readonly Visit[], readFromUs?: (visit: Visit) => number) {
  const windows = new MemoryWindows();
  const read = windowRowReader(view, windowing, plan, rowLayout(SCHEMA));
  const counted = visits.filter((visit, offset) => {
    const rows = makeRows(SCHEMA, [{ at: visit.at, ts: visit.at, key: 'a', offset }]);
    const inOrder = { ...rows, rank: RANK_STREAM, partition: 0 } as const;
    const late = visit.lateByUs ?? 0;
    const { columns } = read(rows);
    return applyRow(plan, GRACE_US, windows, columns, inOrder, 0, late, [0], readFromUs?.(visit));
  });
  const sessions = windows.sessions(group);
  return {
    sessions,
    bounds: sessions.map(({ startUs, endUs }) => [startUs, endUs]),
    counted: counted.length,
  };
}

describe('sessions', () => {
  it('join rows that are a gap apart, and no further', () => {
    expect(sessionsOf([{ at: 0 }, { at: 10 }, { at: 21 }]).bounds).toEqual([
      [0, 10],
      [21, 21],
    ]);
  });

  it('become one when a row comes between them', () => {
    expect(sessionsOf([{ at: 0 }, { at: 20 }, { at: 10 }]).bounds).toEqual([[0, 20]]);
  });

  it('take a row until the session that it would be alone is closed', () => {
    const { bounds, counted } = sessionsOf([
      { at: 100 },
      { at: 85, lateByUs: GRACE_US + GAP_US },
      { at: 84, lateByUs: GRACE_US + GAP_US + 1 },
    ]);
    expect(counted).toBe(2);
    expect(bounds).toEqual([
      [85, 85],
      [100, 100],
    ]);
  });

  it('leave a later row out even where it would join an open session, so that no order matters', () => {
    const late = { at: 84, lateByUs: GRACE_US + GAP_US + 1 };
    const joined = [{ at: 100 }, { at: 92, lateByUs: 8 }, late];
    expect(sessionsOf(joined).bounds).toEqual([[92, 100]]);
    expect(sessionsOf([...joined].reverse()).bounds).toEqual([[92, 100]]);
  });

  it('are the same for any order of the rows, and read back as they were written', () => {
    for (const seed of seeds(50)) {
      const random = generator(seed);
      const visits = Array.from({ length: 30 }, () => ({ at: Math.floor(random() * 300) }));
      const shuffled = [...visits].sort(() => random() - 0.5);
      const bytes = [visits, shuffled].map((order) => {
        const out = new ByteWriter();
        encodeSessions(group, sessionsOf(order).sessions, out);
        return out.toBytes();
      });
      expect(bytes[1], `seed ${seed}`).toEqual(bytes[0]);
      const again = new ByteWriter();
      encodeSessions(group, decodeSessions(group, new ByteReader(bytes[0] as Uint8Array)), again);
      expect(again.toBytes()).toEqual(bytes[0]);
    }
  });

  it('are forgotten when no row can join them and no read ask for them', () => {
    for (const seed of seeds(50)) {
      const random = generator(seed);
      let streamTimeUs = 0;
      const visits = Array.from({ length: 60 }, (): Required<Visit> => {
        streamTimeUs += Math.floor(random() ** 4 * 90);
        const at = streamTimeUs - Math.floor(random() ** 2 * 20);
        return { at, lateByUs: streamTimeUs - at };
      });
      const all = sessionsOf(visits);
      const readFromUs = ({ at, lateByUs = 0 }: Visit): number => at + lateByUs - GRACE_US;
      const kept = sessionsOf(visits, readFromUs);
      expect(kept.bounds.length).toBeLessThan(8);
      for (let atUs = streamTimeUs - GRACE_US; atUs < streamTimeUs + 40; atUs++) {
        const newest = (bounds: number[][]) =>
          bounds.findLast(([start]) => (start as number) <= atUs);
        expect(newest(kept.bounds), `seed ${seed} at ${atUs}`).toEqual(newest(all.bounds));
      }
    }
  });
});
