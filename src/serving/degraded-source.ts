/**
 * A source that an answer was read of, and why its values may lack rows that its topic has or had:
 *
 * - `STOPPED` the engine of this process has failed
 * - `LOG_UNAVAILABLE` the engine of this process cannot read the log, and tries again
 * - `SUSPENDED` a partition failed and is tried again
 * - `GAP` records were removed from the log before they were read, and the engine went on without them
 */
export interface DegradedSource {
  readonly source: string;
  readonly topic: string;
  /** Null: all of them. */
  readonly partition: number | null;
  readonly state: 'STOPPED' | 'LOG_UNAVAILABLE' | 'SUSPENDED' | 'GAP';
  /** For people. */
  readonly reason: string;
}
