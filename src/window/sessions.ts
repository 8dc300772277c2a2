/**
 * Session windows of one entity: runs of rows no two neighbours of which are further apart than the
 * gap. A row joins the sessions within the gap of it, and makes them one. As in Kafka Streams, two
 * rows exactly a gap apart are in one session, and a session is closed once its end + gap lies
 * before stream time - grace.
 *
 * A row counts unless the session that it would be alone is closed. That follows from the row and the
 * stream time it met, whatever other rows there are, so that any order of the same rows makes the
 * same sessions.
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

/** Oldest first, more than a gap apart. What a row changes becomes another object. */
export type Sessions = Session[];

const NONE: readonly Session[] = [];

/** Adds a row that counts. */
export function addToSessions(
  group: WindowGroup,
  gapUs: number,
  sessions: Sessions,
  columns: GroupColumns,
  rows: RowsInOrder,
  i: number,
): void {
  const eventTimeUs = rows.eventTimesUs[i] as number;
  const { from, to } = neighbours(sessions, eventTimeUs, eventTimeUs, gapUs);
  if (to - from === 1) {
    const { startUs, endUs, tile } = sessions[from] as Session;
    updateTile(group, tile, columns, rows, i);
    sessions[from] = {
      startUs: Math.min(startUs, eventTimeUs),
      endUs: Math.max(endUs, eventTimeUs),
      tile,
    };
    return;
  }
  const tile = createTile(group);
  updateTile(group, tile, columns, rows, i);
  joinSession(group, gapUs, sessions, { startUs: eventTimeUs, endUs: eventTimeUs, tile });
}

/** Puts a session among the others and joins those within the gap into it. */
export function joinSession(
  group: WindowGroup,
  gapUs: number,
  sessions: Sessions,
  session: Session,
): void {
  const { from, to } = neighbours(sessions, session.startUs, session.endUs, gapUs);
  let { startUs, endUs } = session;
  for (const joined of sessions.slice(from, to)) {
    startUs = Math.min(startUs, joined.startUs);
    endUs = Math.max(endUs, joined.endUs);
    mergeTile(group, session.tile, joined.tile);
  }
  sessions.splice(from, to - from, { startUs, endUs, tile: session.tile });
}

/** The newest session with a row at or before q; undefined when there is none. */
export function sessionAt(sessions: Sessions, atUs: number): Session | undefined {
  return sessions.findLast((session) => session.startUs <= atUs);
}

/**
 * A session is final once stream time - grace is past this: a row that counts lies at most a gap
 * behind that, and joins what ended at most a gap before it.
 */
export function finalAfterUs(session: Session, gapUs: number): number {
  return session.endUs + 2 * gapUs;
}

/**
 * Forgets sessions that are final and that no read at or after stream time - grace can ask for, since
 * a newer one had begun by then; answers with them.
 */
export function forgetSessions(
  sessions: Sessions,
  gapUs: number,
  readFromUs: number,
): readonly Session[] {
  let count = 0;
  while (
    count + 1 < sessions.length &&
    finalAfterUs(sessions[count] as Session, gapUs) < readFromUs &&
    (sessions[count + 1] as Session).startUs <= readFromUs
  ) {
    count++;
  }
  return count === 0 ? NONE : sessions.splice(0, count);
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

/** Sessions `[from, to)` lie within the gap of the given time span; most rows are near the end. */
function neighbours(
  sessions: Sessions,
  startUs: number,
  endUs: number,
  gapUs: number,
): { from: number; to: number } {
  let to = sessions.length;
  while (to > 0 && (sessions[to - 1] as Session).startUs - gapUs > endUs) to--;
  let from = to;
  while (from > 0 && (sessions[from - 1] as Session).endUs + gapUs >= startUs) from--;
  return { from, to };
}
