import type { Command } from 'commander';
import type {
  CompactionProgress,
  CompactionResult,
  EraseResult,
  RetentionResult,
} from '../../feature-store/index.ts';
import { type Bind, type Context, list } from '../context.ts';
import { rowOfKeys } from '../key-values.ts';
import { type Cell, formatCount, type Output } from '../output.ts';

/** `compact` and `retain`: segments as a whole. */
export function historyCommands(program: Command, bind: Bind): void {
  program
    .command('compact')
    .description('make small segments into few large ones; a running engine does so by itself')
    .option('--all', 'merge all that one range can hold, whatever the sizes')
    .option('--sources <names>', 'only these topic sources', list)
    .addHelpText('after', '\nExamples:\n  $ freshet compact\n  $ freshet compact --all --json')
    .action(bind(compact));
  program
    .command('retain')
    .description('drop history that no view needs, by offlineStore.retention of freshet.yaml')
    .option('--dry-run', 'say what would be dropped')
    .option('--sources <names>', 'only these sources, of topics or of files', list)
    .addHelpText('after', '\nExamples:\n  $ freshet retain --dry-run\n  $ freshet retain')
    .action(bind(retain));
  program
    .command('erase')
    .description('remove all that is stored of one entity; stop the engine first')
    .argument('<entity>', 'its name')
    .argument('<keys...>', 'key=value, one of each join key')
    .option('--unreadable', 'remove records that cannot be read, too: they may be of any entity')
    .option('--dry-run', 'say what would be removed')
    .addHelpText(
      'after',
      '\nExamples:\n  $ freshet erase customer customer_id=7 --dry-run\n  $ freshet erase customer customer_id=7',
    )
    .action(bind(erase));
}

interface SourcesOption {
  readonly sources?: readonly string[];
}

async function compact(
  { output, withStore, signal }: Context,
  { all = false, sources }: SourcesOption & { readonly all?: boolean },
): Promise<void> {
  await withStore(async (store) => {
    const bar = output.progress('compact', 0);
    const onProgress = ({ rowsDone, rowsTotal }: CompactionProgress): void =>
      bar.update(rowsDone, rowsTotal);
    const named = sources?.map((name) => store.topicSource(name));
    const results = await store.history
      .compact({ all, signal, onProgress, ...(named && { sources: named }) })
      .finally(() => bar.stop());
    const reclaimed = await store.history.reclaim();
    output.result({ sources: results, reclaimed }, () => '');
    if (!output.json) printCompaction(output, results, reclaimed.length);
  });
}

function printCompaction(
  output: Output,
  results: readonly CompactionResult[],
  reclaimed: number,
): void {
  output.table(
    results.map((r) => ({
      source: r.source,
      files: `${r.filesBefore} → ${r.filesAfter}`,
      rows: r.rowsWritten,
      read: r.bytesRead,
      written: r.bytesWritten,
      amplification: Number(r.writeAmplification.toFixed(2)),
      'rows/s': perSecond(r),
    })),
    { empty: 'No view reads a topic.' },
  );
  const { dim } = output.style;
  output.line();
  output.line(
    dim(`${formatCount(reclaimed)} replaced files deleted; others stay for their grace.`),
  );
}

function perSecond({ rowsWritten, durationMs }: CompactionResult): Cell {
  return rowsWritten === 0 ? null : Math.round((rowsWritten * 1_000) / Math.max(1, durationMs));
}

async function retain(
  { output, withStore }: Context,
  { dryRun = false, sources }: SourcesOption & { readonly dryRun?: boolean },
): Promise<void> {
  await withStore(async (store) => {
    const results = await store.history.retain({ dryRun, ...(sources && { sources }) });
    output.table(results.map(retainedRow), { empty: 'No view has history.' });
  });
}

function retainedRow({
  source,
  files,
  rows,
  bytes,
  beforeUs,
}: RetentionResult): Record<string, Cell> {
  const before = beforeUs === null ? null : new Date(beforeUs / 1_000).toISOString();
  return { source, files, rows, bytes, 'rows before': before };
}

async function erase(
  { output, withStore }: Context,
  entity: string,
  keys: readonly string[],
  options: { readonly dryRun?: boolean; readonly unreadable?: boolean },
): Promise<void> {
  const keyValues = rowOfKeys(keys, 'Erase one entity after the other, each with its own command.');
  const result = await withStore((store) => store.erase(entity, { keyValues, ...options }));
  if (output.json) output.result(result, () => '');
  else printErasure(output, result, options.dryRun === true);
}

function printErasure(output: Output, result: EraseResult, dryRun: boolean): void {
  const { online, segments, log, outbox, batchHistory, datasets } = result;
  const done = dryRun ? 'would go' : 'removed';
  output.table([
    ...online.map(({ view, entities }) => ({
      where: `online, view ${view}`,
      rows: entities,
      what: done,
    })),
    ...segments.map(({ source, rows }) => ({ where: `history of ${source}`, rows, what: done })),
    ...log.flatMap((erasure) => logRows(erasure, done)),
    ...outbox.map(({ topic, records }) => ({
      where: `on the way to topic ${topic}`,
      rows: records,
      what: done,
    })),
    ...batchHistory.flatMap((erasure) => batchRows(erasure, done)),
    ...datasets.map(({ dataset, rows }) => ({ where: `dataset ${dataset}`, rows, what: done })),
  ]);
  const foreign = batchHistory.flatMap(({ madeOf }) => madeOf);
  if (foreign.length === 0) return;
  output.line();
  output.line('Files of others that rows were loaded from, and that have them still:');
  for (const file of foreign) output.line(`  ${file}`);
}

function logRows(
  { topic, records, unreadable, erased }: EraseResult['log'][number],
  done: string,
): Record<string, Cell>[] {
  const stays = 'stays until the retention of the topic';
  const may = 'stays: may be of any entity; --unreadable removes it';
  const rows = [{ where: `topic ${topic}`, rows: records, what: erased ? done : stays }];
  if (unreadable === 0) return rows;
  const where = `topic ${topic}, cannot be read`;
  return [...rows, { where, rows: unreadable, what: erased ? may : stays }];
}

function batchRows(
  { source, rows, badRows, foreignRows }: EraseResult['batchHistory'][number],
  done: string,
): Record<string, Cell>[] {
  const stays = 'stays: these files are not Freshet’s';
  return [
    { where: `backfills of ${source}`, rows, what: done },
    { where: `bad rows of ${source}`, rows: badRows, what: done },
    { where: `files of ${source}`, rows: foreignRows, what: stays },
  ].filter((row) => row.rows > 0);
}
