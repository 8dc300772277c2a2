/**
 * Files of a range made anew from those it has: fewer and larger ones, or ones without some rows. The
 * rows are split by days of event time into files of about one size, and each file is sorted as a cut
 * is. Nothing is replaced here: that is one write of the manifest (`checkpoint/swap-segments.ts`).
 */
import { assert } from '../core/assert.ts';
import type { TopicSource } from '../definition/index.ts';
import { type DuckdbConnection, quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { ContentHash } from './content-hash.ts';
import { publishSegment } from './publish-segment.ts';
import type { SegmentColumn, SegmentEntry, SegmentRewrite } from './segment-entry.ts';
import {
  SYSTEM_COLUMNS,
  schemaFingerprint,
  segmentFile,
  sortClause,
  storedType,
} from './segment-layout.ts';
import { filesRelation } from './segment-relation.ts';
import type { SegmentStoreOptions } from './segment-store.ts';

export interface RewriteOptions {
  /** Files of adjacent ranges of one partition, all of one fingerprint. */
  readonly entries: readonly SegmentEntry[];
  readonly source: TopicSource;
  /** A file is closed behind the day that takes it to this size. */
  readonly fileBytesTarget: number;
  /** SQL over the columns: rows for which it is not true are left out. Default: all are kept. */
  readonly keepSql?: string;
}

/**
 * Writes the files and answers with their entries; the caller puts them in place of `entries`. With
 * no row left, the one entry has no file.
 * @throws FreshetError SEGMENT_CORRUPT when the rows written are not the rows read, DISK_FULL,
 * DISK_FAILED; files that were written are swept at the next start
 */
export async function rewriteSegments(
  store: Required<SegmentStoreOptions>,
  options: RewriteOptions,
): Promise<SegmentEntry[]> {
  await using connection = await store.duckdb.connect();
  return await new Rewriting(store, options, connection).run(); // before the connection is closed
}

/** Rows of one day of event time. */
interface Day {
  readonly rowCount: number;
  readonly bounds: Bounds;
}

type Bounds = Pick<
  SegmentEntry,
  'minEventTimeUs' | 'maxEventTimeUs' | 'minArrivalTimeUs' | 'maxArrivalTimeUs' | 'maxLateUs'
>;

const NO_BOUNDS: Bounds = {
  minEventTimeUs: null,
  maxEventTimeUs: null,
  minArrivalTimeUs: null,
  maxArrivalTimeUs: null,
  maxLateUs: null,
};

class Rewriting {
  readonly #store: Required<SegmentStoreOptions>;
  readonly #options: RewriteOptions;
  readonly #connection: DuckdbConnection;
  readonly #columns: readonly SegmentColumn[];
  readonly #stored: readonly SegmentColumn[];
  readonly #eventTime: string;

  constructor(
    store: Required<SegmentStoreOptions>,
    options: RewriteOptions,
    connection: DuckdbConnection,
  ) {
    const [first] = options.entries;
    assert(first !== undefined, 'a rewrite needs entries');
    this.#store = store;
    this.#options = options;
    this.#connection = connection;
    this.#columns = first.columns;
    this.#stored = [...first.columns, ...SYSTEM_COLUMNS].map(({ name, type }) => ({
      name,
      type: storedType(type),
    }));
    this.#eventTime = quoteIdentifier(options.source.timestampField);
  }

  async run(): Promise<SegmentEntry[]> {
    const days = await this.#days();
    const parts = packDays(days, this.#rowsTarget());
    const written: SegmentEntry[] = [];
    for (const [part, files] of parts.entries()) {
      written.push(await this.#writePart(files, part, parts.length));
    }
    if (written.length === 0)
      return [this.#entry([], 0, 1, new ContentHash(this.#stored).digest())];
    await this.#requireSame(written);
    return written;
  }

  async #writePart(days: readonly Day[], part: number, parts: number): Promise<SegmentEntry> {
    const [first, last] = [days[0] as Day, days.at(-1) as Day];
    const within =
      `${this.#eventTime} BETWEEN make_timestamp(${first.bounds.minEventTimeUs}) ` +
      `AND make_timestamp(${last.bounds.maxEventTimeUs})`;
    const sql = `SELECT * FROM (${this.#relation()}) WHERE ${within}`;
    const entry = this.#entry(days, part, parts, await this.#contentHash(sql));
    const { files } = this.#store;
    const sorted = `${sql} ${sortClause(this.#options.source, this.#columns)}`;
    const bytes = await publishSegment({ connection: this.#connection, files }, sorted, entry);
    return { ...entry, bytes };
  }

  /** The rows that are kept, with the columns of the file. */
  #relation(): string {
    const { entries, keepSql } = this.#options;
    const rows = filesRelation(this.#store.files, entries, this.#stored);
    return keepSql === undefined ? rows : `SELECT * FROM (${rows}) WHERE ${keepSql}`;
  }

  async #days(): Promise<Day[]> {
    if (this.#options.entries.every(({ file }) => file === null)) return [];
    const time = this.#eventTime;
    const us = (sql: string, name: string): string => `epoch_us(${sql})::DOUBLE AS ${name}`;
    const rows = await this.#connection.query(
      `SELECT date_trunc('day', ${time}) AS day, count(*)::DOUBLE AS n, ` +
        `${us(`min(${time})`, 'e0')}, ${us(`max(${time})`, 'e1')}, ` +
        `${us('min(_arrival)', 'a0')}, ${us('max(_arrival)', 'a1')}, max(_late)::DOUBLE AS late ` +
        `FROM (${this.#relation()}) GROUP BY 1 ORDER BY 1`,
    );
    return rows.map((row) => ({
      rowCount: Number(row['n']),
      bounds: {
        minEventTimeUs: Number(row['e0']),
        maxEventTimeUs: Number(row['e1']),
        minArrivalTimeUs: Number(row['a0']),
        maxArrivalTimeUs: Number(row['a1']),
        maxLateUs: Number(row['late']),
      },
    }));
  }

  /** By what rows took in the files that there are. */
  #rowsTarget(): number {
    const { entries, fileBytesTarget } = this.#options;
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    const rows = entries.reduce((sum, entry) => sum + entry.rowCount, 0);
    return Math.max(1, Math.floor((fileBytesTarget * rows) / Math.max(1, bytes)));
  }

  async #contentHash(sql: string): Promise<string> {
    const names = this.#stored.map(({ name }) => quoteIdentifier(name)).join(', ');
    const hash = new ContentHash(this.#stored);
    for await (const chunk of this.#connection.stream(
      `SELECT ${names} FROM (${sql}) ORDER BY _offset`,
    )) {
      const columns = this.#stored.map((_, c) => chunk.column(c));
      hash.update(columns, 0, chunk.rowCount);
    }
    return hash.digest();
  }

  #entry(days: readonly Day[], part: number, parts: number, contentHash: string): SegmentEntry {
    const { entries } = this.#options;
    const [first, last] = [entries[0] as SegmentEntry, entries.at(-1) as SegmentEntry];
    const generation = 1 + Math.max(...entries.map((entry) => entry.rewrite?.generation ?? 0));
    const rewrite: SegmentRewrite = { generation, part, parts };
    const cut = { startOffset: first.startOffset, endOffset: last.endOffset };
    const fingerprint = schemaFingerprint(this.#columns);
    const file = segmentFile(first.topic, first.partition, cut, fingerprint, rewrite);
    return {
      file: days.length === 0 ? null : file,
      source: first.source,
      topic: first.topic,
      partition: first.partition,
      ...cut,
      rowCount: days.reduce((sum, { rowCount }) => sum + rowCount, 0),
      bytes: 0,
      ...boundsOf(days),
      fingerprint,
      contentHash,
      columns: this.#columns,
      createdAtMs: this.#store.clock.nowMs(),
      rewrite,
    };
  }

  /** No row is lost, doubled or changed: the same number, and the same sum of their hashes. */
  async #requireSame(written: readonly SegmentEntry[]): Promise<void> {
    const names = this.#stored.map(({ name }) => quoteIdentifier(name)).join(', ');
    const sumOf = async (sql: string): Promise<string> => {
      const [row] = await this.#connection.query(
        `SELECT count(*)::VARCHAR AS n, sum(hash(${names})::HUGEINT)::VARCHAR AS h FROM (${sql})`,
      );
      return `${row?.['n']} rows, ${row?.['h']}`;
    };
    const before = await sumOf(this.#relation());
    const after = await sumOf(filesRelation(this.#store.files, written, this.#stored));
    if (before === after) return;
    const file = (this.#options.entries[0] as SegmentEntry).file;
    throw new FreshetError(
      'SEGMENT_CORRUPT',
      `the rewritten segments hold other rows than those they were made of: ${after}, not ${before}`,
      file === null ? {} : { where: { file } },
    );
  }
}

/** Days in order, as many in a file as take it to its size. */
function packDays(days: readonly Day[], rowsTarget: number): Day[][] {
  const parts: Day[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const day of days) {
    if (rows >= rowsTarget) {
      parts.push([]);
      rows = 0;
    }
    (parts.at(-1) as Day[]).push(day);
    rows += day.rowCount;
  }
  return parts;
}

function boundsOf(days: readonly Day[]): Bounds {
  if (days.length === 0) return NO_BOUNDS;
  const all = (name: keyof Bounds): number[] => days.map(({ bounds }) => bounds[name] as number);
  return {
    minEventTimeUs: Math.min(...all('minEventTimeUs')),
    maxEventTimeUs: Math.max(...all('maxEventTimeUs')),
    minArrivalTimeUs: Math.min(...all('minArrivalTimeUs')),
    maxArrivalTimeUs: Math.max(...all('maxArrivalTimeUs')),
    maxLateUs: Math.max(...all('maxLateUs')),
  };
}
