/**
 * Session windows of one entity: runs of rows no two neighbours of which are further apart than the
 * gap. A row joins the sessions within the gap of it, and makes them one. As in Kafka Streams, two
 * rows exactly a gap apart are in one session, and a session is closed once its end + gap lies
 * before stream time - grace.
 *
 * ```
 * sessions := count varint | count × (startUs f64 | endUs f64 | tile)     oldest first
 * ```
 */
import type { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { RowsInOrder } from './aggregator.ts';
import {
  createTile,
  decodeTile,
  encodeTile,
  type GroupColumns,
  mergeTile,
  type Tile,
  updateTile,
} from './tile.ts';
import type { WindowGroup } from './window-plan.ts';

export interface Session {
  readonly startUs: number;
  readonly endUs: number;
  readonly tile: Tile;
}

/** Oldest first, more than a gap apart. */
export type Sessions = Session[];

/** Adds a row, unless all it would make is a session that is closed. Answers whether it counts. */
export function addToSessions(
  group: WindowGroup,
  gapUs: number,
  sessions: Sessions,
  columns: GroupColumns,
  rows: RowsInOrder,
  i: number,
  closedBeforeUs: number,
): boolean {
  const eventTimeUs = rows.eventTimesUs[i] as number;
  const { from, to } = neighbours(sessions, eventTimeUs, eventTimeUs, gapUs);
  const endUs = Math.max(eventTimeUs, ...sessions.slice(from, to).map((session) => session.endUs));
  if (endUs + gapUs < closedBeforeUs) return false;
  const tile = createTile(group);
  updateTile(group, tile, columns, rows, i);
  joinSession(group, gapUs, sessions, { startUs: eventTimeUs, endUs: eventTimeUs, tile });
  return true;
}

/** Puts a session among the others and joins it with those within the gap. */
export function joinSession(
  group: WindowGroup,
  gapUs: number,
  sessions: Sessions,
  session: Session,
): void {
  const { from, to } = neighbours(sessions, session.startUs, session.endUs, gapUs);
  const joined = sessions.slice(from, to);
  const tile = createTile(group);
  for (const part of [...joined, session]) mergeTile(group, tile, part.tile);
  sessions.splice(from, to - from, {
    startUs: Math.min(session.startUs, ...joined.map((part) => part.startUs)),
    endUs: Math.max(session.endUs, ...joined.map((part) => part.endUs)),
    tile,
  });
}

/** The newest session with a row at or before q; undefined when there is none. */
export function sessionAt(sessions: Sessions, atUs: number): Session | undefined {
  return sessions.findLast((session) => session.startUs <= atUs);
}

/** Forgets closed sessions, but for the newest: reads ask for that one. */
export function dropClosed(sessions: Sessions, gapUs: number, closedBeforeUs: number): void {
  const firstKept = sessions.findIndex((session) => session.endUs + gapUs >= closedBeforeUs);
  const dropped = firstKept < 0 ? sessions.length - 1 : Math.min(firstKept, sessions.length - 1);
  if (dropped > 0) sessions.splice(0, dropped);
}

export function encodeSessions(group: WindowGroup, sessions: Sessions, out: ByteWriter): void {
  out.varint(sessions.length);
  for (const { startUs, endUs, tile } of sessions) {
    out.f64(startUs);
    out.f64(endUs);
    encodeTile(group, tile, out);
  }
}

export function decodeSessions(group: WindowGroup, input: ByteReader): Sessions {
  return Array.from({ length: input.varint() }, () => ({
    startUs: input.f64(),
    endUs: input.f64(),
    tile: decodeTile(group, input),
  }));
}

/** Sessions `[from, to)` lie within the gap of the given time span. */
function neighbours(
  sessions: Sessions,
  startUs: number,
  endUs: number,
  gapUs: number,
): { from: number; to: number } {
  let from = 0;
  while (from < sessions.length && (sessions[from] as Session).endUs + gapUs < startUs) from++;
  let to = from;
  while (to < sessions.length && (sessions[to] as Session).startUs - gapUs <= endUs) to++;
  return { from, to };
}
