/**
 * Every error code of Freshet: what kind of failure it is, who is affected, whether trying again
 * can help, and what to do next. `docs/errors.md` explains each one; a test keeps the two equal.
 *
 * A failure has a code and is handled; a broken invariant is an assertion without a code
 * (`core/assert.ts`) and stops what is running.
 */
export class FreshetError extends Error {
  override readonly name = 'FreshetError';
  readonly code: ErrorCode;
  readonly scope: ErrorScope;
  readonly retriable: boolean;
  readonly where: ErrorWhere;
  /** What the person can do next, one sentence. */
  readonly next: string;

  constructor(code: ErrorCode, what: string, options: ErrorOptions = {}) {
    super(what, options.cause === undefined ? undefined : { cause: options.cause });
    const entry = ERROR_TABLE[code];
    this.code = code;
    this.scope = entry.scope;
    this.retriable = entry.retriable;
    this.where = options.where ?? {};
    this.next = options.next ?? entry.next;
  }

  /** Several lines for a person: what happened, where, and what to do next; never a stack. */
  describe(): string {
    const place = describeWhere(this.where);
    const lines = [`${this.code}: ${this.message}`];
    if (place !== '') lines.push(`  where: ${place}`);
    lines.push(`  next:  ${this.next}`);
    return lines.join('\n');
  }

  toJSON(): Record<string, unknown> {
    return { code: this.code, message: this.message, where: this.where, next: this.next };
  }
}

/** Who is affected: one row, one partition, the one request, or the whole process. */
export type ErrorScope = 'row' | 'partition' | 'request' | 'process';

/** Where it happened; only what is known is set. */
export interface ErrorWhere {
  readonly file?: string;
  readonly line?: number;
  readonly key?: string;
  readonly view?: string;
  readonly feature?: string;
  readonly source?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly row?: number;
  readonly column?: string;
}

interface ErrorOptions {
  readonly where?: ErrorWhere;
  readonly cause?: unknown;
  /** Replaces the table's advice where the caller knows better. */
  readonly next?: string;
}

interface ErrorEntry {
  readonly scope: ErrorScope;
  readonly retriable: boolean;
  readonly next: string;
}

const row = (next: string): ErrorEntry => ({ scope: 'row', retriable: false, next });
const request = (next: string, retriable = false): ErrorEntry => ({
  scope: 'request',
  retriable,
  next,
});
const partition = (next: string, retriable = false): ErrorEntry => ({
  scope: 'partition',
  retriable,
  next,
});
const process_ = (next: string, retriable = false): ErrorEntry => ({
  scope: 'process',
  retriable,
  next,
});

export const ERROR_TABLE = {
  // Configuration and definitions
  CONFIG_NOT_FOUND: request('Run `freshet init` to make a feature repository, or pass --repo.'),
  CONFIG_INVALID: request('Correct freshet.yaml; `freshet init` writes a commented example.'),
  CONFIG_KEY_UNKNOWN: request('Correct the key in freshet.yaml.'),
  DEFINITION_INVALID: request('Correct the definition and apply again.'),
  DEFINITION_LOAD_FAILED: request('Correct the definition file; it must import without errors.'),
  CONFLICTING_FEATURE_VIEW_NAMES: request('Rename one of the feature views.'),
  CONFLICTING_NAMES: request('Rename one of the definitions.'),
  INVALID_ARGUMENT: request('Correct the argument; `freshet <command> --help` shows examples.'),

  // Registry
  FEATURE_VIEW_NOT_FOUND: request('`freshet list views` shows the applied views.'),
  FEATURE_NOT_FOUND: request('`freshet describe <view>` shows the features of a view.'),
  FEATURE_SERVICE_NOT_FOUND: request('`freshet list services` shows the applied services.'),
  BACKFILL_FILE_CHANGED: request(
    'Give the new rows in a file of another name; or say with `--changed` whether they add to the old ones or replace them.',
  ),
  BACKFILL_REJECTED: request(
    'Correct the files or the mapping, or allow more bad rows with --bad-rows-max.',
  ),
  DATASET_NOT_FOUND: request('`freshet dataset list` shows the saved datasets.'),
  SOURCE_NOT_FOUND: request('`freshet list sources` shows the applied sources.'),
  PUSH_SOURCE_NOT_FOUND: request('`freshet list sources` shows the applied sources.'),
  FEATURE_NAME_COLLISION: request(
    'Ask for fullFeatureNames, or give one view an alias with withName.',
  ),
  INCOMPATIBLE_CHANGE: request('Give the changed definition a new name, or apply with --force.'),
  DEFINITIONS_NOT_APPLIED: request('Run `freshet apply`; `freshet plan` shows what would change.'),
  REGISTRY_LOCKED: process_('Try again when the other process has finished its change.', true),
  REGISTRY_VERSION: process_('Use the Freshet version that wrote the registry, or a newer one.'),
  REGISTRY_CORRUPT: process_('Restore the registry file from a backup and run `freshet apply`.'),

  // Rows
  ROW_EMPTY: row('Send a record with a value.'),
  ROW_TRUNCATED: row('Check the producer: the bytes end before the row does.'),
  ROW_UNDECODABLE: row('Check the producer: the bytes are not what the schema says.'),
  ROW_TYPE: row('Send the type that the source schema names.'),
  ROW_KEY_NULL: row('Send every join key of the views that read this source.'),
  ROW_TIME_NULL: row('Send the timestamp field of the source.'),
  ROW_TIME_ABSURD: row('Check the clock of the producer, or raise maxAheadMs of the source.'),
  ROW_TOO_LARGE: row('Send smaller rows, or raise engine.rowBytesMax.'),
  SCHEMA_ID_UNKNOWN: row('Register the schema, or check which registry the producer uses.'),
  SCHEMA_INCOMPATIBLE: row('Register a schema that the source schema can read.'),
  SCHEMA_REGISTRY_UNAVAILABLE: process_('Start the schema registry, or correct its address.', true),
  SCHEMA_REGISTRY_REFUSED: request(
    'Correct the schema, or the compatibility level of the subject.',
  ),

  // Log
  TOPIC_UNKNOWN: request('Run `freshet apply` to create the topics, or check the topic name.'),
  TOPIC_MISMATCH: request('Alter the topic, or correct the source definition.'),
  OFFSET_GAP: partition(
    'Rows were removed before they were read. To go on after the gap, start with --skip-gap; the gap is recorded.',
  ),
  OFFSET_RESET: partition(
    'The log ends before the cursor: the topic was made again. Use a new topic name, or replay.',
  ),
  LOG_CORRUPT: partition(
    'Restore the log folder from a backup; the partition can be read up to here.',
  ),
  LOG_LOCKED: process_('Stop the other process, or produce through it.', true),
  LOG_UNAVAILABLE: process_(
    'Check that the log is reachable; the engine tries again by itself.',
    true,
  ),
  LOG_ACCESS_DENIED: process_(
    'Correct the credentials of the log, or ask for the right to its topics and group.',
  ),
  LOG_FENCED: partition('Another worker owns this partition now; nothing is to be done.'),
  RECORD_TOO_LARGE: request('Send smaller records, or raise the limit of the topic.'),

  // State and history
  STORE_LOCKED: process_(
    'Stop the other engine on this folder, or give this one its own folder.',
    true,
  ),
  STORE_NOT_FOUND: request('Check the path; a store is made when an engine first opens it.'),
  STORE_VERSION: process_('Use the Freshet version that wrote the store, or a newer one.'),
  STORE_CORRUPT: process_('Rebuild the store with `freshet replay --from earliest`.'),
  STORE_LOST: process_(
    'Bring the store back. If it is gone, `freshet run --rebuild-store` makes it again from the segments and the log.',
  ),
  STORE_CLOSED: request('Open the store again; it was closed before this call.'),
  BINDING_UNSUPPORTED: process_(
    'Choose `binding: rocksdb-native` in freshet.yaml, or run on Node 20.',
  ),
  VIEW_STATE_OUTDATED: request(
    'Start the engine, which builds it anew from the segments; load batch history with `freshet materialize-incremental`.',
  ),
  SEGMENT_CORRUPT: process_(
    'Restore the segment from a backup, or rebuild it with `freshet replay`.',
  ),
  VERIFY_FAILED: request(
    'See `freshet status` for gaps and late rows; rebuild with `freshet replay --from earliest`, and report it if values still differ.',
  ),
  DISK_FAILED: process_('Check that the folder exists and can be read and written.', true),
  DISK_FULL: process_('Free disk space and start again; nothing was lost.', true),

  // Development services
  DEV_SERVICE_FAILED: process_(
    'Read the log that the message names, or use a broker of your own with KAFKA_BROKERS.',
  ),

  // Feature server
  UNAUTHENTICATED: request('Send a key: `Authorization: Bearer <key>`.'),
  ACCESS_DENIED: request('Use a key whose scopes in freshet.yaml allow this.'),
  RATE_LIMITED: request('Wait, and send fewer requests a minute.', true),
  REQUEST_TOO_LARGE: request('Send less at a time, or raise the limit in freshet.yaml.'),
  REQUEST_TIMEOUT: request('Ask for less at a time, or raise server.requestMsMax.', true),
  ROUTE_NOT_FOUND: request('See /openapi.json for what can be asked for.'),
  SERVER_FAILED: process_('Correct the server section of freshet.yaml, or free the port.'),

  // Requests
  JOIN_KEY_MISSING: request('Send every join key of the requested views in each entity row.'),
  JOIN_KEY_UNKNOWN: request('Correct the join key; `freshet describe <view>` shows them.'),
  VALUE_TYPE: request('Send the type that the definition names.'),
  MISSING_REQUEST_DATA: request('Send the request data that the on-demand view names.'),
  AGGREGATE_OVERFLOW: request('Sum a float64 column instead, or a shorter window.'),
  TRANSFORM_FAILED: request('Correct the transform of the on-demand view.'),
  EVENT_TIMESTAMP_MISSING: request('Give the entity rows a column event_timestamp.'),
  QUERY_INVALID: request('Correct the query; the message says where it fails.'),
  QUERY_OUT_OF_MEMORY: request(
    'Raise the memory limit of the offline store, or ask for fewer rows at once.',
  ),
  JOIN_KEY_NOT_IN_SOURCE: request('Correct the entity, or the source of the view.'),
  COLUMN_MISSING: request('Correct the column name, or the source definition.'),
  PARQUET_INVALID: request('Check the file; `freshet inspect <file>` shows what it holds.'),
  NOT_MATERIALIZABLE: request('Set `online: true` on the view and apply.'),
  VIEW_NOT_OFFLINE: request('Set `offline: true` on the view and apply.'),
  FEATURE_VIEW_DISABLED: request('Enable the view and apply.'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** Any thrown value as a FreshetError of the given code, unless it is one already. */
export function toFreshetError(thrown: unknown, code: ErrorCode, where?: ErrorWhere): FreshetError {
  if (thrown instanceof FreshetError) return thrown;
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return new FreshetError(code, what, { cause: thrown, ...(where && { where }) });
}

function describeWhere(where: ErrorWhere): string {
  return Object.entries(where)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
