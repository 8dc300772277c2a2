import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatTimestampUs } from '../../core/time.ts';
import type { BackfillSummary, Handover } from '../../feature-store/index.ts';
import type { KnownAtOffsets } from '../../join/index.ts';
import { type Bind, type Context, wholeNumber } from '../context.ts';
import { offsets } from '../offsets.ts';
import { formatCount, type Progress, type Style } from '../output.ts';

/** `backfill`: Parquet files of others into history and the online store. */
export function backfillCommands(program: Command, bind: Bind): void {
  program
    .command('backfill')
    .description('load Parquet files of any origin into batch history and the online store')
    .argument('<source>', 'a parquetSource whose path is a folder, or a view that has one')
    .argument('<files...>', 'files, globs and folders, hive partitions too')
    .option(
      '--map <field=column>',
      'the column of a field, `field=` for none; may be repeated',
      mapping,
    )
    .option('--offline', 'history for training alone; `freshet materialize` can load it later')
    .option('--online', 'the online store alone; joins do not see these rows. Default: both')
    .option('--until <time>', 'leave rows at or after this event time to the topic of the view')
    .option(
      '--until-offsets <places>',
      'where a topic that no engine has read takes over: topic-partition=offset,…',
      offsets,
    )
    .option(
      '--offset-columns <partition,offset>',
      'columns with the places of rows in the topic: later ones are left to it',
      offsetColumns,
    )
    .option('--bad-rows <file>', 'take all bad rows into one file, .parquet or .ndjson')
    .option('--bad-rows-max <rows>', 'stop at more bad rows; default: set all aside', wholeNumber)
    .addOption(
      new Option('--changed <how>', 'a file that was loaded and has other bytes now')
        .choices(['refuse', 'add', 'replace'])
        .default('refuse'),
    )
    .option('--dry-run', 'count and check, and write nothing')
    .addHelpText(
      'after',
      `
What is loaded is not loaded twice, and a backfill that was stopped goes on when it is run again.

Examples:
  $ freshet backfill order_history exports/orders
  $ freshet backfill order_history exports/orders --until-offsets orders-0=500,orders-1=480
  $ freshet backfill order_history 'exports/*.parquet' --map ordered_at=ts --until 2026-01-01`,
    )
    .action(bind(backfill));
}

interface Options {
  readonly map?: Readonly<Record<string, string>>;
  readonly offline?: boolean;
  readonly online?: boolean;
  readonly until?: string;
  readonly untilOffsets?: KnownAtOffsets;
  readonly offsetColumns?: { readonly partition: string; readonly offset: string };
  readonly badRows?: string;
  readonly badRowsMax?: number;
  readonly changed: 'refuse' | 'add' | 'replace';
  readonly dryRun?: boolean;
}

async function backfill(
  { output, withStore }: Context,
  source: string,
  files: readonly string[],
  options: Options,
): Promise<void> {
  const { map, until, untilOffsets, badRows, badRowsMax, changed, dryRun = false } = options;
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
        into: intoOf(options),
        ...(map && { columns: map }),
        ...(until !== undefined && { until }),
        ...(untilOffsets && { untilOffsets }),
        ...(options.offsetColumns && { offsetColumns: options.offsetColumns }),
        ...(badRows !== undefined && { badRowsFile: resolve(badRows) }),
        ...(badRowsMax !== undefined && { badRowsMax }),
        changed,
        dryRun,
        onImport: ({ rowsDone, rowsTotal }) => tell('import', rowsDone, rowsTotal),
        onMaterialize: ({ view, rowsDone, rowsTotal }) => tell(`load ${view}`, rowsDone, rowsTotal),
      })
      .finally(() => {
        for (const bar of bars.values()) bar.stop();
      }),
  );
  output.result(summary, () => describe(summary, dryRun, output.style).join('\n'));
}

function describe(summary: BackfillSummary, dryRun: boolean, style: Style): string[] {
  const { files, filesKnown, rowsLoaded, rowsBad, rowsLeft, online, handovers } = summary;
  const lines = [
    `${formatCount(rowsLoaded)} rows of ${files - filesKnown} files ${dryRun ? 'would come into' : 'are in'} history; ` +
      `${filesKnown} files were there before.`,
  ];
  for (const [view, rows] of Object.entries(online)) {
    lines.push(`${view}: ${formatCount(rows)} values online are newer than before.`);
  }
  if (rowsLeft > 0) lines.push(`${formatCount(rowsLeft)} rows are left to the topic.`);
  if (rowsBad > 0) lines.push(...describeBadRows(summary, style));
  for (const handover of handovers) lines.push('', ...describeHandover(handover, style));
  return lines;
}

function describeBadRows({ rowsBad, badRows, badFiles }: BackfillSummary, style: Style): string[] {
  return [
    style.yellow(`${formatCount(rowsBad)} rows cannot be held:`),
    ...badRows.map(
      ({ file, rowGroup, row, column, reason, value }) =>
        `  ${file} row group ${rowGroup} row ${row}: ${reason} in column "${column}", but ${value ?? 'null'}`,
    ),
    ...(rowsBad > badRows.length ? ['  …'] : []),
    ...badFiles.map((file) => `  all with their reasons: ${file}`),
  ];
}

function describeHandover(handover: Handover, { red, yellow, green }: Style): string[] {
  const { view, topic, filesEndUs, partitions, overlapRows, repeatedRows } = handover;
  const at = (us: number | null): string => (us === null ? 'no row' : formatTimestampUs(us));
  const lines = [`${view}: files end at ${at(filesEndUs)}; topic ${topic} begins`];
  for (const start of partitions) {
    const { partition, startOffset, startUs, firstNewerOffset, filesEndOffset, hasGap } = start;
    const newer =
      firstNewerOffset === null ? 'none newer yet' : `newer from offset ${firstNewerOffset}`;
    const found = startUs === null ? 'no row yet' : `about ${at(startUs)}; ${newer}`;
    lines.push(`  partition ${partition}: at offset ${startOffset}, ${found}`);
    if (!hasGap) continue;
    if (filesEndOffset !== null && filesEndOffset < startOffset) {
      lines.push(red(`    gap: offsets ${filesEndOffset} to ${startOffset - 1} are in no file`));
      continue;
    }
    const range = `${at(filesEndUs)} to ${startUs === null ? 'now' : at(startUs)}`;
    lines.push(red(`    gap: records of ${range} are gone from the topic and in no file`));
  }
  if (overlapRows > 0) {
    lines.push(
      yellow(
        `  ${formatCount(overlapRows)} rows of the topic are not newer than the files, ` +
          `${formatCount(repeatedRows)} of them are in the files, too.`,
      ),
      '  The newest row wins either way; windows count both. --until leaves rows to the topic.',
    );
  }
  if (handover.recordsNotSeen > 0) {
    lines.push(
      `  ${formatCount(handover.recordsNotSeen)} records of the topic were not looked at.`,
    );
  }
  if (!handover.hasGap && overlapRows === 0) lines.push(green('  No gap and no overlap.'));
  return lines;
}

function intoOf({ offline = false, online = false }: Options): 'both' | 'history' | 'online' {
  if (offline === online) return 'both';
  return offline ? 'history' : 'online';
}

function offsetColumns(text: string): { partition: string; offset: string } {
  const [partition, offset, ...others] = text.split(',');
  if (partition && offset && others.length === 0) return { partition, offset };
  throw new InvalidArgumentError('Write the two columns, with a comma between them.');
}

function mapping(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Write field=column.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
