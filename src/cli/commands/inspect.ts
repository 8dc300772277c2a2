import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { FieldValue } from '../../core/field-type.ts';
import { formatTimestampUs } from '../../core/time.ts';
import { openDuckdb } from '../../duckdb/index.ts';
import { FreshetError } from '../../errors.ts';
import type { FeatureStore } from '../../feature-store/index.ts';
import { inspectParquet, type SegmentEntry, sampleRows } from '../../segment/index.ts';
import { type Bind, type Context, wholeNumber } from '../context.ts';
import type { Cell, Output } from '../output.ts';

/** `inspect`: what is stored, readably. */
export function inspectCommands(program: Command, bind: Bind): void {
  program
    .command('inspect')
    .description('print stored rows of a view, segments of a source, or a Parquet file')
    .argument('<what>', 'a view, a topic source, or a file')
    .option('-n, --limit <rows>', 'rows to print', wholeNumber, 20)
    .addHelpText(
      'after',
      '\nExamples:\n  $ freshet inspect last_order\n  $ freshet inspect orders\n  $ freshet inspect data/offline/orders/*.parquet',
    )
    .action(bind(inspect));
}

async function inspect(
  context: Context,
  what: string,
  { limit }: { readonly limit: number },
): Promise<void> {
  const { output, withStore } = context;
  if (/\.parquet$/i.test(what) || (what.includes('/') && existsSync(what))) {
    await inspectFile(output, resolve(what), limit);
    return;
  }
  await withStore(async (store) => {
    const source = store.catalog.sources.get(what);
    if (source?.kind === 'topicSource') {
      output.table((await store.segments(what)).map(segmentRow), { empty: 'No segment yet.' });
    } else await inspectView(output, store, what, limit);
  });
}

async function inspectView(
  output: Output,
  store: FeatureStore,
  view: string,
  limit: number,
): Promise<void> {
  const rows: Record<string, Cell>[] = [];
  for await (const row of store.inspectView(view)) {
    if (rows.length === limit) break;
    rows.push({
      ...cells(row.entityKey),
      ...cells(row.features),
      eventTime: formatTimestampUs(row.eventTimeUs),
      source: row.source,
      partition: row.partition,
      offset: row.offset,
    });
  }
  output.table(rows, { empty: 'The view has no rows in the online store.' });
}

async function inspectFile(output: Output, file: string, limit: number): Promise<void> {
  if (!existsSync(file)) {
    throw new FreshetError('PARQUET_INVALID', `there is no file ${file}`, { where: { file } });
  }
  const duckdb = await openDuckdb();
  try {
    const description = await inspectParquet(duckdb, file);
    const rows = await sampleRows(duckdb, file, limit);
    output.result({ ...description, rows }, () => {
      const { columns, ...facts } = description;
      return Object.entries(facts)
        .map(([name, value]) => `${name}: ${factText(value)}`)
        .join('\n');
    });
    if (output.json) return;
    output.line();
    output.table(description.columns.map((column) => ({ ...column }) as Record<string, Cell>));
    output.line();
    output.table(rows.map(cells));
  } finally {
    await duckdb.close();
  }
}

function segmentRow(entry: SegmentEntry): Record<string, Cell> {
  const { minEventTimeUs, maxEventTimeUs } = entry;
  return {
    partition: entry.partition,
    from: entry.startOffset,
    until: entry.endOffset,
    rows: entry.rowCount,
    bytes: entry.bytes,
    firstEvent: minEventTimeUs === null ? null : formatTimestampUs(minEventTimeUs),
    lastEvent: maxEventTimeUs === null ? null : formatTimestampUs(maxEventTimeUs),
    file: entry.file,
  };
}

function factText(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? Number(v) : v))
    : String(value);
}

function cells(values: Readonly<Record<string, FieldValue>>): Record<string, Cell> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, Cell] => {
      if (value instanceof Uint8Array) return [name, Buffer.from(value).toString('base64')];
      if (typeof value === 'object' && value !== null) return [name, factText(value)];
      return [name, value];
    }),
  );
}
