/**
 * The log contract: topics of partitioned, offset-ordered records. The embedded log and Kafka
 * implement it and pass `test/contract/log.ts`. Records move in batches, the engine pulls, and
 * positions belong to the engine: a log never moves a cursor by itself.
 *
 * Offsets are JavaScript numbers: exact to 2^53, which a partition written at a million records a
 * second reaches after 285 years.
 */
export interface Log extends AsyncDisposable {
  readonly capabilities: LogCapabilities;

  /** A reader of fixed partitions from the given cursors, without a group. */
  assign(cursors: readonly Cursor[]): Promise<LogReader>;
  /** A reader whose partitions the group decides. */
  join(membership: GroupMembership): Promise<LogReader>;

  /**
   * Appends in order per partition; resolves when the log has the records as `acks: all` means it.
   * @throws FreshetError TOPIC_UNKNOWN, RECORD_TOO_LARGE, LOG_UNAVAILABLE
   */
  append(records: readonly ProducedRecord[]): Promise<AppendResult[]>;

  /**
   * Creates what is not there.
   * @throws FreshetError TOPIC_MISMATCH naming what differs, INVALID_ARGUMENT for an impossible topic
   */
  createTopic(spec: TopicSpec): Promise<{ readonly created: boolean }>;
  deleteTopic(topic: string): Promise<void>;
  listTopics(): Promise<string[]>;
  /** @throws FreshetError TOPIC_UNKNOWN */
  describeTopic(topic: string): Promise<TopicDescription>;
  /** Raises the partition's start; a reader below it gets OFFSET_GAP. */
  deleteRecordsBefore(tp: TopicPartition, offset: number): Promise<void>;

  /**
   * Removes single records for good, from the files as well; their offsets become holes.
   * @throws FreshetError INVALID_ARGUMENT where `capabilities.erase` is false
   */
  eraseRecords(records: readonly Cursor[]): Promise<void>;

  /** First offset still there, and the offset after the last record, in the order asked. */
  watermarks(tps: readonly TopicPartition[]): Promise<Watermarks[]>;
  /** The first offset whose record timestamp is at or after `timestampMs`; null when there is none. */
  offsetForTime(tp: TopicPartition, timestampMs: number): Promise<number | null>;

  /** Advisory positions of a group; null where nothing was committed. */
  committedOffsets(group: string, tps: readonly TopicPartition[]): Promise<(number | null)[]>;
  /** @throws FreshetError LOG_FENCED when the group has members and none of this log owns the partition */
  commitOffsets(group: string, cursors: readonly Cursor[]): Promise<void>;

  /** Idempotent; closes its readers. */
  close(): Promise<void>;
}

/** Reads assigned partitions; not safe for concurrent `poll`s. */
export interface LogReader extends AsyncDisposable {
  readonly assignment: readonly TopicPartition[];
  /**
   * The next batches, at most one a partition; empty after `waitMs` without records, or once
   * aborted. A poll that throws has moved no cursor.
   * @throws FreshetError OFFSET_GAP when a cursor lies below the log's start, OFFSET_RESET above
   *   its end; both name the partition, and the others can be read once it is paused or sought
   */
  poll(options?: PollOptions): Promise<LogBatch[]>;
  /** Stops delivery of these partitions; positions stay. A partition that leaves and comes back is not paused. */
  pause(tps: readonly TopicPartition[]): void;
  resume(tps: readonly TopicPartition[]): void;
  /** @throws FreshetError LOG_FENCED for a partition that is not assigned */
  seek(cursor: Cursor): void;
  /** Rises with each assignment; compare before a commit so that a zombie changes nothing. */
  readonly generation: number;
  close(): Promise<void>;
}

export interface GroupMembership {
  readonly group: string;
  readonly topics: readonly string[];
  /** Called by `join` or a `poll` with new partitions before their first fetch; answers with where to start. */
  onAssigned(tps: readonly TopicPartition[]): Cursor[] | Promise<Cursor[]>;
  /**
   * Called before partitions go to another member, from inside a `poll`: so between two batches,
   * which the caller has finished. They are still assigned, and go when this resolves. Not called
   * by `close`.
   */
  onRevoked(tps: readonly TopicPartition[]): Promise<void>;
  /**
   * Called from inside a `poll` when the group went on without this member, so that partitions may
   * have another owner already: nothing may be written for them. Default: as `onRevoked`.
   */
  onLost?(tps: readonly TopicPartition[]): Promise<void>;
}

export interface PollOptions {
  /** Records a partition, default 8,192. */
  readonly maxRecords?: number;
  /** Value bytes a partition, default 4 MiB; one larger record still comes. */
  readonly maxBytes?: number;
  /** Default 0: do not wait. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Records of one partition in offset order. Arrays have `count` entries; none when only what is not
 * shown was read, such as the markers of transactions.
 */
export interface LogBatch {
  readonly topic: string;
  readonly partition: number;
  readonly count: number;
  /** May have holes (compaction, transactions). */
  readonly offsets: Float64Array;
  /** Where the next read starts; steps over holes. */
  readonly nextOffset: number;
  /** The offset after the last record of the partition. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly timestampsMs: Float64Array;
  readonly timestampType: TimestampType;
  readonly keys: readonly (Uint8Array | null)[];
  /** A null value is a tombstone. */
  readonly values: readonly (Uint8Array | null)[];
  /** Decoded on demand; repeated keys are kept. */
  headers(i: number): readonly Header[];
}

export type TimestampType = 'CreateTime' | 'LogAppendTime';
export type Header = readonly [name: string, value: Uint8Array];

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The next offset to read of a partition. */
export interface Cursor extends TopicPartition {
  readonly offset: number;
}

export interface Watermarks extends TopicPartition {
  readonly start: number;
  readonly end: number;
}

export interface ProducedRecord {
  readonly topic: string;
  /** Default: murmur2 of the key; records without a key go round the partitions. */
  readonly partition?: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly Header[];
  /** Default: now. Under LogAppendTime the log's own clock replaces it. */
  readonly timestampMs?: number;
}

export interface AppendResult extends TopicPartition {
  /** Offset of the record, in the order of the records given. */
  readonly offset: number;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** Default LogAppendTime. */
  readonly timestampType?: TimestampType;
  /** Default: keep for ever. */
  readonly retentionMs?: number;
  /** Per partition. Default: no bound. */
  readonly retentionBytes?: number;
  /** Kafka only; default 1. */
  readonly replication?: number;
  /** Further Kafka topic settings by their Kafka names. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly topic: string;
  /** Changes when a topic is deleted and made again, where the log can tell. */
  readonly topicId: string | null;
  readonly partitions: number;
  readonly timestampType: TimestampType;
  readonly retentionMs: number | null;
  readonly retentionBytes: number | null;
}

export interface LogCapabilities {
  readonly groups: boolean;
  readonly logAppendTime: boolean;
  readonly compaction: boolean;
  /** Whether single records can be removed. */
  readonly erase: boolean;
  /** Whether another process can open the log at the same time. */
  readonly shared: boolean;
}

/** `topic-partition`, the usual short form, for maps and messages. */
export function topicPartitionName(tp: TopicPartition): string {
  return `${tp.topic}-${tp.partition}`;
}
