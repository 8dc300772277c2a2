import type { OutboxRecord } from '../checkpoint/index.ts';
import { createRowDecoder } from '../codec/index.ts';
import { toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { columnValue } from '../core/row-batch.ts';
import type { Catalog, FeatureView, TopicSource } from '../definition/index.ts';
import type { Cursor, Log, LogBatch } from '../log/index.ts';
import { DEAD_LETTER_HEADERS } from '../pipeline/index.ts';
import { requiredFields } from './open-task.ts';
import type { Resources } from './resources.ts';

/** Records of one topic. */
export interface LogErasure {
  readonly topic: string;
  readonly records: number;
  /** False where the log cannot remove single records: they go with the retention of the topic. */
  readonly erased: boolean;
}

interface LogEraseOptions {
  readonly catalog: Catalog;
  readonly views: readonly FeatureView[];
  readonly sources: readonly TopicSource[];
  readonly keyValues: Readonly<Record<string, FieldValue>>;
  readonly dryRun: boolean;
}

/** What was found in the log, and what to look for in the outbox of an engine that was stopped. */
export interface LogSearch {
  readonly erasures: readonly LogErasure[];
  readonly isOfEntity: (record: OutboxRecord) => boolean;
}

/** Which records of a batch are to go, as places in it. */
type Match = (batch: LogBatch) => number[] | Promise<number[]>;
type RecordMatch = (record: Pick<OutboxRecord, 'key' | 'value' | 'headers'>) => boolean;

/**
 * Rows of the sources, results of the views, and what is no row, in the topics of the sources and among
 * the dead letters, that has the record key of such a row.
 */
export async function eraseFromLog(
  resources: Resources,
  options: LogEraseOptions,
): Promise<LogSearch> {
  const log = await resources.log();
  const { views, sources, dryRun } = options;
  const recordKeys = new Set<string>();
  const matches: [topic: string, match: Match][] = [];
  for (const source of sources) {
    const rows = await matchRows(resources, options, source, recordKeys);
    // The second looks for what is no row, by the record keys that the first has found.
    matches.push([source.topic, rows.match], [source.topic, rows.matchRejects]);
  }
  const made: [topic: string, match: RecordMatch][] = [];
  for (const view of views) {
    const topic = view.windowing?.emit?.topic;
    if (topic !== undefined) made.push([topic, matchResult(view, options.keyValues)]);
  }
  const topics = new Set(sources.map(({ topic }) => topic));
  made.push([resources.config.engine.deadLetterTopic, matchLetter(topics, recordKeys)]);
  for (const [topic, match] of made) matches.push([topic, (batch) => places(batch, match)]);
  const known = new Set(await log.listTopics());
  const found = new Map<string, Cursor[]>();
  for (const [topic, match] of matches) {
    if (!known.has(topic)) continue;
    const records = await findRecords(log, topic, match);
    found.set(topic, [...(found.get(topic) ?? []), ...records]);
  }
  const { erase } = log.capabilities;
  if (erase && !dryRun) await log.eraseRecords([...found.values()].flat());
  return {
    erasures: [...found].map(([topic, { length }]) => ({ topic, records: length, erased: erase })),
    isOfEntity: (record) => made.some(([topic, match]) => topic === record.topic && match(record)),
  };
}

async function findRecords(log: Log, topic: string, match: Match): Promise<Cursor[]> {
  const { partitions } = await log.describeTopic(topic);
  const found: Cursor[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const [marks] = await log.watermarks([{ topic, partition }]);
    const { start, end } = marks as { start: number; end: number };
    await using reader = await log.assign([{ topic, partition, offset: start }]);
    for (let next = start; next < end; ) {
      for (const batch of await reader.poll({ waitMs: 1_000 })) {
        for (const i of await match(batch)) {
          found.push({ topic, partition, offset: batch.offsets[i] as number });
        }
        next = batch.nextOffset;
      }
    }
  }
  return found;
}

/** Record keys are collected where they name the entity: where its join keys are among the key fields. */
async function matchRows(
  resources: Resources,
  { catalog, keyValues }: LogEraseOptions,
  source: TopicSource,
  recordKeys: Set<string>,
): Promise<{ match: Match; matchRejects: Match }> {
  const isKeyed = Object.keys(keyValues).every((name) => source.keyFields.includes(name));
  const decoder = createRowDecoder({
    source,
    requiredFields: requiredFields(catalog, source),
    rowBytesMax: resources.config.engine.rowBytesMax,
    clock: resources.clock,
    ...(source.format === 'avro' && { registry: await resources.schemas() }),
  });
  const wanted = Object.entries(keyValues).map(([key, value]) => ({
    c: decoder.layout.index.get(key) as number,
    text: keyText(source.schema[key] as FieldType, value),
    type: source.schema[key] as FieldType,
  }));
  const match: Match = async (batch) => {
    const { rows } = await decoder.decode(batch);
    const found: number[] = [];
    for (let i = 0, at = 0; i < rows.count; i++) {
      while (batch.offsets[at] !== rows.offsets[i]) at++;
      const isIt = wanted.every(
        ({ c, text, type }) => keyText(type, columnValue(rows.columns[c] as never, i)) === text,
      );
      if (!isIt) continue;
      found.push(at);
      const key = batch.keys[at];
      if (key && isKeyed) recordKeys.add(textOf(key));
    }
    return found;
  };
  const matchRejects: Match = async (batch) => {
    const { rejects } = await decoder.decode(batch);
    return rejects.flatMap(({ index }) => {
      const key = batch.keys[index];
      return key && recordKeys.has(textOf(key)) ? index : [];
    });
  };
  return { match, matchRejects };
}

function matchResult(
  view: FeatureView,
  keyValues: Readonly<Record<string, FieldValue>>,
): RecordMatch {
  const wanted = Object.entries(keyValues).map(
    ([key, value]) => [key, keyText(view.joinKeys[key] as FieldType, value)] as const,
  );
  return ({ value }) => {
    if (!value) return false;
    const result = JSON.parse(Buffer.from(value).toString('utf8')) as Record<string, unknown>;
    return wanted.every(([key, text]) => JSON.stringify(result[key]) === text);
  };
}

function matchLetter(topics: ReadonlySet<string>, recordKeys: ReadonlySet<string>): RecordMatch {
  return ({ key, headers }) => {
    if (!key || !recordKeys.has(textOf(key))) return false;
    const origin = headers.findLast(([name]) => name === DEAD_LETTER_HEADERS.topic);
    return origin !== undefined && topics.has(Buffer.from(origin[1]).toString('utf8'));
  };
}

function places(batch: LogBatch, match: RecordMatch): number[] {
  const found: number[] = [];
  for (let i = 0; i < batch.count; i++) {
    const [key, value] = [batch.keys[i] ?? null, batch.values[i] ?? null];
    if (match({ key, value, headers: batch.headers(i) })) found.push(i);
  }
  return found;
}

/** Equal for equal values of a type. */
function keyText(type: FieldType, value: FieldValue): string {
  return JSON.stringify(toJsonValue(type, value));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
