/**
 * Everything Freshet tells about itself, as named channels (`node:diagnostics_channel`). Code
 * publishes; logs and metrics subscribe. A channel without a subscriber costs next to nothing.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import type { ErrorCode } from '../errors.ts';

export interface BatchEvent {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly nextOffset: number;
  readonly highWatermark: number;
  readonly durationMs: number;
}

/** State and positions of a micro-batch, in the one write that makes both so. */
export interface CommitEvent {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  readonly durationMs: number;
}

export interface SegmentEvent {
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly rows: number;
}

export interface RetryEvent {
  readonly topic: string | null;
  readonly partition: number | null;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly waitMs: number;
}

export interface AssignmentEvent {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
}

export interface IdleEvent {
  readonly topic: string;
  readonly partition: number;
  readonly idle: boolean;
}

export interface SweepEvent {
  readonly files: readonly string[];
}

export interface GapEvent {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
}

export interface RewriteEvent {
  readonly source: string;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly rows: number;
  readonly bytes: number;
  readonly durationMs: number;
}

export interface DropEvent {
  readonly source: string;
  readonly files: number;
  readonly rows: number;
  /** Rows before this event time are gone. */
  readonly beforeUs: number;
}

export interface MaintenanceFailure {
  readonly source: string;
  readonly code: ErrorCode;
  readonly reason: string;
}

/** Spans are lost: told once, and again only when some were delivered in between. */
export interface TracingFailure {
  /** Scheme, host and port of the collector. */
  readonly collector: string;
  readonly reason: string;
}

export const channels = {
  batch: channel('freshet:batch') as Channel<unknown, BatchEvent>,
  commit: channel('freshet:commit') as Channel<unknown, CommitEvent>,
  segment: channel('freshet:segment') as Channel<unknown, SegmentEvent>,
  retry: channel('freshet:retry') as Channel<unknown, RetryEvent>,
  assigned: channel('freshet:assigned') as Channel<unknown, AssignmentEvent>,
  revoked: channel('freshet:revoked') as Channel<unknown, AssignmentEvent>,
  idle: channel('freshet:idle') as Channel<unknown, IdleEvent>,
  swept: channel('freshet:swept') as Channel<unknown, SweepEvent>,
  compacted: channel('freshet:compacted') as Channel<unknown, RewriteEvent>,
  dropped: channel('freshet:dropped') as Channel<unknown, DropEvent>,
  maintenanceFailed: channel('freshet:maintenance-failed') as Channel<unknown, MaintenanceFailure>,
  tracingFailed: channel('freshet:tracing-failed') as Channel<unknown, TracingFailure>,
  gap: channel('freshet:gap') as Channel<unknown, GapEvent>,
};
