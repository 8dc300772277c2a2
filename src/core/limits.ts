/** Every bound of the engine, with the arithmetic behind it. Configuration may lower or raise some. */

/** Records a partition in one micro-batch: about 50 ms of decoding at 150,000 rows a second. */
export const BATCH_RECORDS_MAX = 8_192;

/** Value bytes a partition in one micro-batch; four partitions hold 64 MiB at most. */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024;

/** A larger row is a dead letter: Kafka's own default bound of a record is 1 MiB. */
export const ROW_BYTES_MAX = 1024 * 1024;

/** Value bytes a dead letter carries; with key and headers it stays under Kafka's 1 MiB. */
export const DEAD_LETTER_BYTES_MAX = 960 * 1024;

/** Rows of one segment: 500,000 rows of 100 bytes are 50 MB of buffer a partition. */
export const SEGMENT_ROWS_MAX = 500_000;

/** Buffered bytes of one segment. */
export const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;

/** Age at which a segment is cut, however small: how far history may lag behind the stream. */
export const SEGMENT_AGE_MS_MAX = 60_000;

/** Rows and windows that online reads keep in memory: some 100,000 rows of ten features. */
export const READ_CACHE_BYTES_MAX = 32 * 1024 * 1024;

/** How old the state may be that another process reads: opening it again takes 2 to 65 ms. */
export const STALE_MS_MAX = 1_000;

/** Segments of one size class that become one. */
export const COMPACTION_FAN_IN = 8;

/** A compacted file is closed behind the day of event time that takes it to this size. */
export const COMPACTED_FILE_BYTES_TARGET = 128 * 1024 * 1024;

/** Ranges are merged up to this size: what one compaction sorts, reads and writes. */
export const COMPACTED_RANGE_BYTES_MAX = 4 * 1024 * 1024 * 1024;

/** How often a running engine looks at what there is to compact, to drop and to delete. */
export const COMPACTION_EVERY_MS = 60_000;

/** How long files that were replaced stay, for readers that began before. */
export const RETIRED_GRACE_MS = 3_600_000;

/** First and longest wait between attempts after a failure that trying again can mend. */
export const RETRY_MS_MIN = 100;
export const RETRY_MS_MAX = 30_000;
