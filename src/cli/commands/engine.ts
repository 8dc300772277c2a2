import { type Command, Option } from 'commander';
import { systemClock } from '../../core/clock.ts';
import { formatTimestampUs, US_PER_MS } from '../../core/time.ts';
import type { BuildProgress, SourceStatus } from '../../feature-store/index.ts';
import type { Materializer } from '../../pipeline/index.ts';
import type { Bind, Context } from '../context.ts';
import { type LogFormat, logEngine } from '../engine-log.ts';
import { type Cell, formatCount, type Output } from '../output.ts';

/** `run` and `status`: the engine. */
export function engineCommands(program: Command, bind: Bind): void {
  program
    .command('run')
    .description('read the topics and keep the online store and the segments up to date')
    .option('--until-caught-up', 'stop when everything that is in the log now is in both stores')
    .option('--skip-gap', 'go on behind records that retention removed unread; the gap is recorded')
    .option('--rebuild-store', 'make a lost online store again from the segments and the log')
    .addOption(
      new Option('--log <format>', 'log lines on standard error')
        .choices(['text', 'json', 'none'])
        .default('text'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ freshet run\n  $ freshet run --until-caught-up\n  $ freshet run --log json 2> engine.log',
    )
    .action(bind(run));
  program
    .command('status')
    .description('show where every partition stands')
    .addHelpText('after', '\nExamples:\n  $ freshet status\n  $ freshet status --json')
    .action(bind(status));
}

interface RunOptions {
  readonly untilCaughtUp?: boolean;
  readonly skipGap?: boolean;
  readonly rebuildStore?: boolean;
  readonly log: LogFormat | 'none';
}

async function run({ output, withStore, signal }: Context, options: RunOptions): Promise<void> {
  const stopLog =
    options.log === 'none' ? undefined : logEngine(options.log, process.stderr, systemClock);
  try {
    await withStore(async (store) => {
      const { untilCaughtUp = false, skipGap = false, rebuildStore = false } = options;
      const before = totalOf(await store.status());
      const onBuild = ({ view, rowsDone, rowsTotal, isDone }: BuildProgress): void => {
        const rows = formatCount(isDone ? rowsDone : rowsTotal);
        if (isDone) output.line(`${view} is built from ${rows} rows, and served.`);
        else if (rowsDone === 0)
          output.line(`Building ${view} from ${rows} rows, beside the stream.`);
      };
      const engine = await store.startEngine({ skipGap, rebuildStore, onBuild });
      if (untilCaughtUp) await catchUp(output, engine, before.lag, signal);
      else {
        output.line('The engine runs; Ctrl-C stops it well.');
        await untilStopped(engine, signal);
      }
      await store.stopEngine();
      const after = totalOf(await store.status());
      const applied = after.applied - before.applied;
      output.result(
        { records: applied, lag: after.lag },
        () =>
          `${formatCount(applied)} records applied; ${formatCount(after.lag)} behind the end of the log.`,
      );
    });
  } finally {
    stopLog?.();
  }
}

/** Until a signal asks to stop, or the engine fails. */
async function untilStopped(engine: Materializer, signal: AbortSignal): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([asked, engine.finished]);
}

async function catchUp(
  output: Output,
  engine: Materializer,
  records: number,
  signal: AbortSignal,
): Promise<void> {
  const bar = output.progress('run', records);
  const timer = setInterval(() => {
    const left = engine.status().reduce((sum, { lagRecords }) => sum + lagRecords, 0);
    bar.update(Math.max(0, records - left));
  }, 200);
  try {
    await Promise.race([engine.caughtUp(), untilStopped(engine, signal)]);
    if (!signal.aborted) bar.update(records);
  } finally {
    clearInterval(timer);
    bar.stop();
  }
}

async function status({ output, withStore }: Context): Promise<void> {
  const sources = await withStore((store) => store.status());
  if (output.json) {
    output.result(sources, () => '');
    return;
  }
  output.table(
    sources.flatMap(({ partitions }) => partitions.map(partitionRow)),
    {
      empty: 'No view reads a topic.',
    },
  );
  for (const { topic, segments, gaps } of sources) {
    const { files, rows, bytes } = segments;
    output.line();
    output.line(
      `${topic}: ${formatCount(rows)} rows in ${formatCount(files)} segments, ${formatCount(Math.round(bytes / 1e6))} MB.`,
    );
    for (const gap of gaps) {
      output.line(
        `  missing in ${gap.of}: records ${gap.fromOffset} to ${gap.toOffset - 1} of partition ${gap.partition}`,
      );
    }
  }
}

function partitionRow(partition: SourceStatus['partitions'][number]): Record<string, Cell> {
  const { streamTimeUs, late } = partition;
  return {
    topic: partition.topic,
    partition: partition.partition,
    applied: partition.applied,
    sealed: partition.sealed,
    end: partition.end,
    lag: partition.lagRecords,
    streamTime: streamTimeUs === null ? null : formatTimestampUs(streamTimeUs),
    behindClock: streamTimeUs === null ? null : behind(streamTimeUs),
    rows: partition.rows,
    rejected: partition.rejected,
    late: Object.values(late).reduce((sum, count) => sum + count, 0),
  };
}

/** How far stream time is behind the clock of this machine, in one unit. */
function behind(streamTimeUs: number): string {
  const seconds = Math.max(0, systemClock.nowMs() - streamTimeUs / US_PER_MS) / 1_000;
  for (const [unit, size] of BEHIND_UNITS) {
    if (seconds >= size) return `${formatCount(Math.floor(seconds / size))} ${unit}`;
  }
  return '0 s';
}

const BEHIND_UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

function totalOf(sources: readonly SourceStatus[]): { applied: number; lag: number } {
  const partitions = sources.flatMap((source) => source.partitions);
  return {
    applied: partitions.reduce((sum, { applied }) => sum + applied, 0),
    lag: partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
  };
}
