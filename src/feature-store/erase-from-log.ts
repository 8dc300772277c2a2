import type { OutboxRecord } from '../checkpoint/index.ts';
import { createRowDecoder } from '../codec/index.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { columnValue } from '../core/row-batch.ts';
import type { Catalog, FeatureView, TopicSource } from '../definition/index.ts';
import type { Cursor, Log, LogBatch } from '../log/index.ts';
import { DEAD_LETTER_HEADERS } from '../pipeline/index.ts';
import { requiredFields } from './open-task.ts';
import { keyText, type Owner, RejectOwner } from './reject-owner.ts';
import type { Resources } from './resources.ts';

/** Records of one topic. */
export interface LogErasure {
  readonly topic: string;
  readonly records: number;
  /**
   * Records beside these that cannot be read, and whose record key says nothing either: they may be
   * of any entity. Among `records` where they were asked for.
   */
  readonly unreadable: number;
  /** False where the log cannot remove single records: they go with the retention of the topic. */
  readonly erased: boolean;
}

interface LogEraseOptions {
  readonly catalog: Catalog;
  readonly views: readonly FeatureView[];
  readonly sources: readonly TopicSource[];
  readonly keyValues: Readonly<Record<string, FieldValue>>;
  /** Whether records that may be of any entity go, too. */
  readonly unreadable: boolean;
  readonly dryRun: boolean;
}

/** What was found in the log, and what to look for in the outbox of an engine that was stopped. */
export interface LogSearch {
  readonly erasures: readonly LogErasure[];
  readonly isOfEntity: (record: OutboxRecord) => Promise<boolean>;
}

type RawRecord = Pick<OutboxRecord, 'key' | 'value' | 'headers'>;
/** Whether records of a batch are of the entity, by their places in it; those that are not named are not. */
type Search = (batch: LogBatch) => Promise<ReadonlyMap<number, Owner>>;
type Judge = (record: RawRecord) => Promise<Owner> | Owner;

/**
 * Rows of the sources, results of the views, and what is no row, in the topics of the sources and
 * among the dead letters, where its fields or its record key name the entity.
 */
export async function eraseFromLog(
  resources: Resources,
  options: LogEraseOptions,
): Promise<LogSearch> {
  const log = await resources.log();
  const { views, sources, dryRun, unreadable } = options;
  const rejects = new Map<string, RejectOwner>();
  const searches: [topic: string, search: Search][] = [];
  for (const source of sources) {
    const { clock } = resources;
    const registry = source.format === 'avro' ? await resources.schemas() : undefined;
    const owner = new RejectOwner({ source, registry, clock, keyValues: options.keyValues });
    rejects.set(source.topic, owner);
    const rows = await searchRows(resources, options, source, owner);
    // The second looks for what is no row, by the record keys that the first has found, too.
    searches.push([source.topic, rows.search], [source.topic, rows.searchRejects]);
  }
  const judges = new Map<string, Judge>();
  for (const view of views) {
    const topic = view.windowing?.emit?.topic;
    if (topic !== undefined) judges.set(topic, judgeResult(view, options.keyValues));
  }
  judges.set(resources.config.engine.deadLetterTopic, judgeLetter(rejects));
  for (const [topic, judge] of judges) searches.push([topic, (batch) => judgeAll(batch, judge)]);

  const isGone = (owner: Owner): boolean => owner === 'yes' || (unreadable && owner === 'unknown');
  const { erase } = log.capabilities;
  const known = new Set(await log.listTopics());
  const erasures = new Map<string, LogErasure>();
  const gone: Cursor[] = [];
  for (const [topic, search] of searches) {
    if (!known.has(topic)) continue;
    const found = await findRecords(log, topic, search);
    const records = found.filter(({ owner }) => isGone(owner));
    gone.push(...records.map(({ cursor }) => cursor));
    const before = erasures.get(topic);
    erasures.set(topic, {
      topic,
      records: (before?.records ?? 0) + records.length,
      unreadable: (before?.unreadable ?? 0) + found.length - records.length,
      erased: erase,
    });
  }
  if (erase && !dryRun) await log.eraseRecords(gone);
  return {
    erasures: [...erasures.values()],
    isOfEntity: async (record) => {
      const judge = judges.get(record.topic);
      return judge !== undefined && isGone(await judge(record));
    },
  };
}

interface FoundRecord {
  readonly cursor: Cursor;
  readonly owner: Owner;
}

/** Records that are of the entity, and those that may be. */
async function findRecords(log: Log, topic: string, search: Search): Promise<FoundRecord[]> {
  const { partitions } = await log.describeTopic(topic);
  const found: FoundRecord[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const [marks] = await log.watermarks([{ topic, partition }]);
    const { start, end } = marks as { start: number; end: number };
    await using reader = await log.assign([{ topic, partition, offset: start }]);
    for (let next = start; next < end; ) {
      for (const batch of await reader.poll({ waitMs: 1_000 })) {
        for (const [i, owner] of await search(batch)) {
          if (owner === 'no') continue;
          const offset = batch.offsets[i] as number;
          found.push({ cursor: { topic, partition, offset }, owner });
        }
        next = batch.nextOffset;
      }
    }
  }
  return found;
}

async function searchRows(
  resources: Resources,
  { catalog, keyValues }: LogEraseOptions,
  source: TopicSource,
  rejectOwner: RejectOwner,
): Promise<{ search: Search; searchRejects: Search }> {
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
  const search: Search = async (batch) => {
    const { rows } = await decoder.decode(batch);
    const found = new Map<number, Owner>();
    for (let i = 0, at = 0; i < rows.count; i++) {
      while (batch.offsets[at] !== rows.offsets[i]) at++;
      const isIt = wanted.every(
        ({ c, text, type }) => keyText(type, columnValue(rows.columns[c] as never, i)) === text,
      );
      if (!isIt) continue;
      found.set(at, 'yes');
      rejectOwner.learn(batch.keys[at] ?? null);
    }
    return found;
  };
  const searchRejects: Search = async (batch) => {
    const { rejects } = await decoder.decode(batch);
    const found = new Map<number, Owner>();
    for (const { index } of rejects) {
      const [key, value] = [batch.keys[index] ?? null, batch.values[index] ?? null];
      found.set(index, await rejectOwner.of(key, value));
    }
    return found;
  };
  return { search, searchRejects };
}

function judgeResult(view: FeatureView, keyValues: Readonly<Record<string, FieldValue>>): Judge {
  const wanted = Object.entries(keyValues).map(
    ([key, value]) => [key, keyText(view.joinKeys[key] as FieldType, value)] as const,
  );
  return ({ value }) => {
    if (!value) return 'no';
    const result = JSON.parse(Buffer.from(value).toString('utf8')) as Record<string, unknown>;
    return wanted.every(([key, text]) => JSON.stringify(result[key]) === text) ? 'yes' : 'no';
  };
}

/** By the source that a dead letter is of. */
function judgeLetter(rejects: ReadonlyMap<string, RejectOwner>): Judge {
  return ({ key, value, headers }) => {
    const origin = headers.findLast(([name]) => name === DEAD_LETTER_HEADERS.topic);
    const topic = origin === undefined ? '' : Buffer.from(origin[1]).toString('utf8');
    return rejects.get(topic)?.of(key, value) ?? 'no';
  };
}

async function judgeAll(batch: LogBatch, judge: Judge): Promise<ReadonlyMap<number, Owner>> {
  const found = new Map<number, Owner>();
  for (let i = 0; i < batch.count; i++) {
    const [key, value] = [batch.keys[i] ?? null, batch.values[i] ?? null];
    found.set(i, await judge({ key, value, headers: batch.headers(i) }));
  }
  return found;
}
