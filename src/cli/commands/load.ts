import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { BackfillResult } from '../../backfill/index.ts';
import { formatTimestampUs } from '../../core/time.ts';
import { FreshetError } from '../../errors.ts';
import type { FeatureStore } from '../../feature-store/index.ts';
import { inputFormatOf, produceRows, type RowInput, readRows } from '../../producer/index.ts';
import { type Bind, type Context, list } from '../context.ts';
import { formatCount, type Progress } from '../output.ts';

/** `produce`, `materialize`, `materialize-incremental`: rows in. */
export function loadCommands(program: Command, bind: Bind): void {
  program
    .command('produce')
    .description("send rows of a file or of standard input to a source's topic")
    .argument('<source>', 'the topic source')
    .argument('<file>', 'Parquet, CSV or NDJSON; - for NDJSON on standard input')
    .addOption(
      new Option('--format <format>', 'what the file is, where its name does not say').choices([
        'parquet',
        'csv',
        'ndjson',
      ]),
    )
    .option('--strict', 'stop at the first row that is refused')
    .addHelpText(
      'after',
      '\nExamples:\n  $ freshet produce orders orders.ndjson\n  $ cat rows | freshet produce orders -',
    )
    .action(bind(produce));
  program
    .command('materialize')
    .description('load batch history of a range of event time into the online store')
    .argument('<start>', 'first event time, such as 2026-01-01 or 2026-01-01T12:00:00Z')
    .argument('<end>', 'last event time')
    .option('--views <names>', 'only these views', list)
    .addHelpText('after', '\nExamples:\n  $ freshet materialize 2026-01-01 2026-02-01')
    .action(bind(materialize));
  program
    .command('materialize-incremental')
    .description('load batch history from where the last run ended, late rows included')
    .argument('[end]', 'last event time; default: now')
    .option('--views <names>', 'only these views', list)
    .addHelpText('after', '\nExamples:\n  $ freshet materialize-incremental')
    .action(bind(materializeIncremental));
}

async function produce(
  context: Context,
  sourceName: string,
  file: string,
  options: { readonly format?: RowInput['format']; readonly strict?: boolean },
): Promise<void> {
  const { output, withStore, signal } = context;
  await withStore(async (store) => {
    const source = store.topicSource(sourceName);
    const input: RowInput =
      file === '-'
        ? { format: 'ndjson', stream: process.stdin }
        : { format: options.format ?? inputFormatOf(file), path: resolve(file) };
    const duckdb = await store.resources.duckdb();
    const reader = await readRows({ input, source, duckdb });
    await using producer = await store.producer(source);
    const { rowsTotal } = reader;
    const bar = output.progress(`produce ${source.topic}`, rowsTotal ?? 0);
    const { strict = false } = options;
    const sent = await produceRows({
      producer,
      reader,
      signal,
      strict,
      onProgress: ({ rowsSent, rowsRejected }) => bar.update(rowsSent + rowsRejected),
    }).finally(() => bar.stop());
    output.result(sent, () =>
      [
        `${formatCount(sent.rowsSent)} rows sent to ${source.topic}, ${formatCount(sent.rowsRejected)} refused.`,
        ...sent.rejects
          .slice(0, 10)
          .map(({ index, code, reason }) => `  row ${index}: ${code}: ${reason}`),
      ].join('\n'),
    );
    if (sent.rowsRejected === 0) return;
    throw new FreshetError('ROW_TYPE', `${formatCount(sent.rowsRejected)} rows were refused`, {
      where: { source: source.name, file },
      next: 'Mend these rows and send them again; all others were sent.',
    });
  });
}

interface ViewsOption {
  readonly views?: readonly string[];
}

function materialize(
  context: Context,
  startTime: string,
  endTime: string,
  options: ViewsOption,
): Promise<void> {
  return load(context, (store, onProgress) =>
    store.materialize({ startTime, endTime, ...options, onProgress }),
  );
}

function materializeIncremental(
  context: Context,
  endTime: string | undefined,
  options: ViewsOption,
): Promise<void> {
  return load(context, (store, onProgress) =>
    store.materializeIncremental({ ...(endTime && { endTime }), ...options, onProgress }),
  );
}

type OnProgress = (progress: { view: string; rowsDone: number; rowsTotal: number }) => void;

async function load(
  { output, withStore }: Context,
  run: (store: FeatureStore, onProgress: OnProgress) => Promise<BackfillResult[]>,
): Promise<void> {
  let bar: Progress | null = null;
  let barView = '';
  const onProgress: OnProgress = ({ view, rowsDone, rowsTotal }) => {
    if (view !== barView) {
      bar?.stop();
      bar = output.progress(`materialize ${view}`, rowsTotal);
      barView = view;
    }
    bar?.update(rowsDone);
  };
  const results = await withStore((store) => run(store, onProgress)).finally(() => bar?.stop());
  output.table(
    results.map(({ view, rowsRead, rowsWritten, intervals }) => ({
      view,
      rowsRead,
      rowsWritten,
      from: intervals[0] ? formatTimestampUs(intervals[0].startUs) : null,
      to: intervals.length > 0 ? formatTimestampUs(intervals.at(-1)?.endUs as number) : null,
    })),
    { empty: 'No view has batch history that is to be served online.' },
  );
}
