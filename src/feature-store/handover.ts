/** Where the rows of files end and those of a topic begin: what neither has, and what both have. */
import { type ImportedPart, listParts } from '../backfill/index.ts';
import { readPositions } from '../checkpoint/index.ts';
import { createRowDecoder, type RowDecoder } from '../codec/index.ts';
import type { FieldType } from '../core/field-type.ts';
import { toInt64 } from '../core/int64.ts';
import type { Column, RowBatch } from '../core/row-batch.ts';
import type { Catalog, FeatureView, ParquetSource, TopicSource } from '../definition/index.ts';
import { type DuckdbConnection, quoteIdentifier } from '../duckdb/index.ts';
import { firstOffset } from '../pipeline/index.ts';
import { parquetRelation, type SegmentEntry, segmentRelation } from '../segment/index.ts';
import { backfillFolders } from './backfill-folders.ts';
import { requiredFields } from './open-task.ts';
import type { Resources } from './resources.ts';

/** For one view that has files and a topic. Times in microseconds. */
export interface Handover {
  readonly view: string;
  readonly topic: string;
  /** The newest row of the files; null without rows. */
  readonly filesEndUs: number | null;
  readonly partitions: readonly PartitionStart[];
  /** Whether rows behind the end of the files may be lost in some partition. */
  readonly hasGap: boolean;
  /** Rows of the topic that are not newer than the newest of the files. */
  readonly overlapRows: number;
  /** Those of them that have the entity and the time of a row of the files: windows count both. */
  readonly repeatedRows: number;
  /** Records of the log that were not looked at, since they are too many. */
  readonly recordsNotSeen: number;
}

/** Where the stream of one partition begins, in segments or in the log. */
export interface PartitionStart {
  readonly partition: number;
  /** The first offset that is read, and that there still is. */
  readonly startOffset: number;
  /** About the event time there: a tenth of the first hundred rows is older. Null without a row. */
  readonly startUs: number | null;
  /** The first offset whose row is not older than the end of the files; null when none was seen. */
  readonly firstNewerOffset: number | null;
  /**
   * Where files that say the offsets of their rows end, below the handover; null where none does.
   */
  readonly filesEndOffset: number | null;
  /**
   * Whether records before the start are gone that may have been newer than the files, or that files
   * with offsets do not have.
   */
  readonly hasGap: boolean;
}

export interface HandoverSources {
  readonly files: ParquetSource;
  readonly topic: TopicSource;
  /** By partition, where the topic takes over; default: at a time. */
  readonly untilOffsets?: readonly number[];
}

/** Rows that tell where a partition begins, and the part of them that may be late. */
const START_ROWS = 100;
const START_QUANTILE = 0.1;
/** Records of a partition that are read of the log: some seconds. */
const LOG_RECORDS_MAX = 500_000;
const TABLE = 'stream_rows';

/** The engine may be running, here or elsewhere. @throws FreshetError LOG_UNAVAILABLE */
export async function handoverOf(
  resources: Resources,
  catalog: Catalog,
  view: FeatureView,
  sources: HandoverSources,
  filesEndUs: number | null,
): Promise<Handover> {
  await using duckdb = await (await resources.duckdb()).connect();
  const stream = new StreamRows(resources, catalog, view, sources, duckdb);
  const recordsNotSeen = await stream.load();
  const { folder, onlineFolder } = backfillFolders(sources.files, resources.config);
  const onlineParts = await listParts(duckdb, onlineFolder);
  const parts = [...(await listParts(duckdb, folder)), ...onlineParts];
  const partitions: PartitionStart[] = [];
  for (const start of stream.starts) {
    const filesEnd = { us: filesEndUs, offset: offsetEndOf(parts, start.partition) };
    partitions.push(await stream.startOf(start, filesEnd));
  }
  const more = onlineParts.map(({ path }) => path);
  const files = await parquetRelation(duckdb, sources.files, resources.config.repoDir, { more });
  const { overlapRows, repeatedRows } = await stream.overlap(files.sql, sources.files, filesEndUs);
  return {
    view: view.name,
    topic: sources.topic.topic,
    filesEndUs,
    partitions,
    hasGap: partitions.some(({ hasGap }) => hasGap),
    overlapRows,
    repeatedRows,
    recordsNotSeen,
  };
}

/** Null where no part says offsets. */
function offsetEndOf(parts: readonly ImportedPart[], partition: number): number | null {
  const ends = parts.flatMap(({ note }) => note.offsetEnds?.[partition] ?? []);
  return ends.length === 0 ? null : Math.max(...ends);
}

/** Keys, times and offsets of the rows of a topic in a table: those of segments, then of the log. */
class StreamRows {
  /** `isLost`: of a handover at an offset, whether records behind it are gone. */
  readonly starts: {
    readonly partition: number;
    readonly startOffset: number;
    readonly isLost: boolean | null;
  }[] = [];
  readonly #resources: Resources;
  readonly #catalog: Catalog;
  readonly #source: TopicSource;
  readonly #duckdb: DuckdbConnection;
  readonly #keys: readonly string[];
  readonly #time: string;
  readonly #untilOffsets: readonly number[];

  constructor(
    resources: Resources,
    catalog: Catalog,
    view: FeatureView,
    { topic: source, untilOffsets = [] }: HandoverSources,
    duckdb: DuckdbConnection,
  ) {
    this.#untilOffsets = untilOffsets;
    this.#resources = resources;
    this.#catalog = catalog;
    this.#source = source;
    this.#duckdb = duckdb;
    this.#keys = Object.keys(view.joinKeys);
    this.#time = quoteIdentifier(source.timestampField);
  }

  /** Answers with the number of records that were not read. */
  async load(): Promise<number> {
    const source = this.#source;
    const { entries, sealed, begins } = await this.#history();
    const rows = segmentRelation(this.#resources.segmentFiles, entries, source);
    const keys = this.#keys.map((key, k) => `${quoteIdentifier(key)} AS k${k}`);
    await this.#duckdb.run(
      `CREATE OR REPLACE TEMP TABLE ${TABLE} AS SELECT ${[...keys, `${this.#time} AS t`].join(', ')}, ` +
        `_partition::INTEGER AS p, _offset::BIGINT AS o FROM (${rows})`,
    );
    const log = await this.#resources.logToRead();
    const { topic } = source;
    if (log === null || !(await log.listTopics()).includes(topic)) return 0;
    const { partitions } = await log.describeTopic(topic);
    const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    let notSeen = 0;
    for (const { partition, start, end } of await log.watermarks(tps)) {
      const first = entries.find((entry) => entry.partition === partition)?.startOffset;
      const begin = begins[partition] ?? 0;
      const startOffset = Math.max(begin, Math.min(first ?? start, start));
      // The log has records that are not read: they were handed over, and none is missed before them.
      const isHandedOver = start < begin || this.#untilOffsets[partition] === begin;
      const isLost = isHandedOver ? start > (sealed[partition] ?? 0) : null;
      this.starts.push({ partition, startOffset, isLost });
      const from = Math.max(start, sealed[partition] ?? 0);
      const to = Math.min(end, from + LOG_RECORDS_MAX);
      await this.#readLog(partition, from, to);
      notSeen += end - to;
    }
    return notSeen;
  }

  async startOf(
    { partition, startOffset, isLost }: StreamRows['starts'][number],
    filesEnd: { readonly us: number | null; readonly offset: number | null },
  ): Promise<PartitionStart> {
    const filesEndUs = filesEnd.us;
    const [found] = await this.#duckdb.query(
      `SELECT quantile_disc(t, ${START_QUANTILE})::TIMESTAMP AS start FROM (SELECT t FROM ${TABLE} ` +
        `WHERE p = ${partition} AND t IS NOT NULL ORDER BY o LIMIT ${START_ROWS})`,
    );
    const [newer] = await this.#duckdb.query(
      `SELECT min(o)::DOUBLE AS o FROM ${TABLE} WHERE p = ${partition} ` +
        `AND t > make_timestamp(${filesEndUs ?? 0})`,
    );
    const startUs = (found?.['start'] ?? null) as number | null;
    const isBehind = filesEndUs !== null && (startUs === null || startUs > filesEndUs);
    const firstNewerOffset = (newer?.['o'] ?? null) as number | null;
    // Of a handover at an offset the times tell nothing: the next row is later in any case.
    const filesEndOffset = isLost === null ? null : filesEnd.offset;
    const hasGap =
      isLost === null
        ? startOffset > 0 && isBehind
        : isLost || (filesEndOffset !== null && filesEndOffset < startOffset);
    return { partition, startOffset, startUs, firstNewerOffset, filesEndOffset, hasGap };
  }

  async overlap(
    filesSql: string,
    files: ParquetSource,
    filesEndUs: number | null,
  ): Promise<{ overlapRows: number; repeatedRows: number }> {
    if (filesEndUs === null) return { overlapRows: 0, repeatedRows: 0 };
    const same = [
      ...this.#keys.map((key, k) => `f.${quoteIdentifier(key)} = s.k${k}`),
      `f.${quoteIdentifier(files.timestampField)} = s.t`,
    ];
    const within = `s.t <= make_timestamp(${filesEndUs})`;
    const count = async (sql: string): Promise<number> =>
      Number(
        (await this.#duckdb.query(`SELECT count(*)::DOUBLE AS n FROM ${TABLE} s ${sql}`))[0]?.['n'],
      );
    return {
      overlapRows: await count(`WHERE ${within}`),
      repeatedRows: await count(
        `SEMI JOIN (${filesSql}) f ON ${same.join(' AND ')} WHERE ${within}`,
      ),
    };
  }

  async #history(): Promise<{
    entries: readonly SegmentEntry[];
    sealed: readonly number[];
    begins: readonly number[];
  }> {
    const source = this.#source;
    return this.#resources.readState(async (state, manifest) => {
      const id = state.dictionary.sourceId(source.name);
      if (id === undefined) return { entries: [], sealed: [], begins: [] };
      const entries = await manifest.entries(source.name);
      const [sealed, begins]: [number[], number[]] = [[], []];
      const stores = { kv: state.kv, manifest };
      for (let partition = 0; partition < source.partitions; partition++) {
        const positions = await readPositions(state, id, partition);
        sealed.push(positions?.sealed ?? 0);
        begins.push(
          positions === null
            ? 0
            : await firstOffset(stores, { name: source.name, id }, partition, positions),
        );
      }
      return { entries, sealed, begins };
    });
  }

  async #readLog(partition: number, from: number, to: number): Promise<void> {
    const log = await this.#resources.logToRead();
    if (log === null || from >= to) return;
    const { schema, topic } = this.#source;
    const keyTypes = this.#keys.map((key) => schema[key] as FieldType);
    const decoder = await this.#decoder();
    await using reader = await log.assign([{ topic, partition, offset: from }]);
    const types: FieldType[] = [...keyTypes, 'timestamp', 'int32', 'int64'];
    const appender = await this.#duckdb.appender(TABLE, types);
    try {
      for (let next = from; next < to; ) {
        const batches = await reader.poll({ waitMs: 1_000, maxRecords: to - next });
        if (batches.length === 0) break; // what is left are holes
        for (const batch of batches) {
          const { rows } = await decoder.decode(batch);
          appender.append(this.#columnsOf(rows, partition), 0, rows.count);
          next = batch.nextOffset;
        }
      }
    } finally {
      appender.close();
    }
  }

  #columnsOf(rows: RowBatch, partition: number): Column[] {
    const { timestampField } = this.#source;
    const valid = new Uint8Array(rows.count).fill(1);
    const fields = [...this.#keys, timestampField].map(
      (name) => rows.columns[rows.layout.index.get(name) as number] as Column,
    );
    return [
      ...fields,
      { type: 'int32', values: new Int32Array(rows.count).fill(partition), valid },
      { type: 'int64', values: toInt64(rows.offsets, 0, rows.count), valid },
    ];
  }

  async #decoder(): Promise<RowDecoder> {
    const { config, clock } = this.#resources;
    const { format } = this.#source;
    return createRowDecoder({
      source: this.#source,
      requiredFields: requiredFields(this.#catalog, this.#source),
      rowBytesMax: config.engine.rowBytesMax,
      clock,
      ...(format === 'avro' && { registry: await this.#resources.schemas() }),
    });
  }
}
