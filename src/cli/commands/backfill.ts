import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { formatTimestampUs } from '../../core/time.ts';
import type { BackfillSummary, Handover } from '../../feature-store/index.ts';
import { type Bind, type Context, wholeNumber } from '../context.ts';
import { formatCount, type Output, type Progress } from '../output.ts';

/** `backfill`: Parquet files of others into history and the online store. */
export function backfillCommands(program: Command, bind: Bind): void {
  program
    .command('backfill')
    .description('load Parquet files of any origin into batch history and the online store')
    .argument('<source>', 'a parquetSource whose path is a folder, or a view that has one')
    .argument('<files...>', 'files, globs and folders, hive partitions too')
    .option('--map <field=column>', 'the column of a field; several times for several', mapping)
    .option('--history-only', 'load nothing online; `freshet materialize` can do so later')
    .option('--until <time>', 'leave rows at or after this event time to the topic of the view')
    .option('--bad-rows-max <rows>', 'stop at more bad rows; default: set all aside', wholeNumber)
    .addHelpText(
      'after',
      `
What is loaded is not loaded twice, and a backfill that was stopped goes on when it is run again.

Examples:
  $ freshet backfill order_history exports/orders
  $ freshet backfill order_history 'exports/*.parquet' --map ordered_at=ts --until 2026-01-01`,
    )
    .action(bind(backfill));
}

interface Options {
  readonly map?: Readonly<Record<string, string>>;
  readonly historyOnly?: boolean;
  readonly until?: string;
  readonly badRowsMax?: number;
}

async function backfill(
  { output, withStore }: Context,
  source: string,
  files: readonly string[],
  { map, historyOnly = false, until, badRowsMax }: Options,
): Promise<void> {
  const bars = new Map<string, Progress>();
  const tell = (what: string, done: number, total: number): void => {
    if (!bars.has(what)) for (const bar of bars.values()) bar.stop();
    const bar = bars.get(what) ?? output.progress(what, total);
    bars.set(what, bar);
    bar.update(done, total);
  };
  const summary = await withStore((store) =>
    store
      .backfill({
        source,
        files: files.map((file) => resolve(file)),
        into: historyOnly ? 'history' : 'both',
        ...(map && { columns: map }),
        ...(until !== undefined && { until }),
        ...(badRowsMax !== undefined && { badRowsMax }),
        onImport: ({ rowsDone, rowsTotal }) => tell('import', rowsDone, rowsTotal),
        onMaterialize: ({ view, rowsDone, rowsTotal }) => tell(`load ${view}`, rowsDone, rowsTotal),
      })
      .finally(() => {
        for (const bar of bars.values()) bar.stop();
      }),
  );
  output.result(summary, () => '');
  if (!output.json) print(output, summary);
}

function print(output: Output, summary: BackfillSummary): void {
  const { files, filesKnown, rowsLoaded, rowsBad, rowsLeft, badFiles, online, handovers } = summary;
  output.line(
    `${formatCount(rowsLoaded)} rows of ${files - filesKnown} files are in history; ` +
      `${filesKnown} files were there before.`,
  );
  for (const [view, rows] of Object.entries(online)) {
    output.line(`${view}: ${formatCount(rows)} values online are newer than before.`);
  }
  if (rowsLeft > 0) output.line(`${formatCount(rowsLeft)} rows are left to the topic.`);
  if (rowsBad > 0) {
    output.line(output.style.yellow(`${formatCount(rowsBad)} rows cannot be held; they and why:`));
    for (const file of badFiles) output.line(`  ${file}`);
  }
  for (const handover of handovers) printHandover(output, handover);
}

function printHandover(
  { line, style }: Output,
  { view, topic, filesEndUs, topicStartUs, hasGap, overlapRows }: Handover,
): void {
  const at = (us: number | null): string => (us === null ? 'no row' : formatTimestampUs(us));
  line();
  line(`${view}: files end at ${at(filesEndUs)}, topic ${topic} begins at ${at(topicStartUs)}.`);
  if (hasGap) line(style.red('  Rows in between are in neither: the topic has lost records.'));
  if (overlapRows > 0) {
    line(
      style.yellow(`  ${formatCount(overlapRows)} rows of the topic are not newer than the files.`),
    );
    line('  The newest row wins either way; windows count both. --until leaves them to the topic.');
  }
  if (!hasGap && overlapRows === 0) line(style.green('  No gap and no overlap.'));
}

function mapping(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Write field=column.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
