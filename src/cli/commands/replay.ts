import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { toTimestampUs, US_PER_MS } from '../../core/time.ts';
import { FreshetError } from '../../errors.ts';
import type { ReplayResult } from '../../feature-store/index.ts';
import type { PartitionReplay, ReplayFrom } from '../../pipeline/index.ts';
import { type Bind, type Context, list } from '../context.ts';
import { type Cell, formatCount, type Output } from '../output.ts';

/** `replay` and `checksum`. */
export function replayCommands(program: Command, bind: Bind): void {
  program
    .command('replay')
    .description('read topics again into the online store; stop the engine first')
    .requiredOption('--from <where>', 'earliest, an offset, or a time of arrival', parseFrom)
    .option('--sources <names>', 'only these topic sources', list)
    .option('--views <names>', 'only these views, from the earliest', list)
    .option('--dry-run', 'say what would be read')
    .option('--skip-gap', 'rebuild without records that the log has no more; the gap is recorded')
    .option('--into <folder>', 'into stores of their own, to compare with the live ones')
    .addHelpText(
      'after',
      `
Examples:
  $ freshet replay --from earliest --dry-run
  $ freshet replay --from earliest
  $ freshet replay --from earliest --views last_order
  $ freshet replay --from 2026-01-31T12:00:00Z
  $ freshet replay --from earliest --into ../beside`,
    )
    .action(bind(replay));
  program
    .command('checksum')
    .description('print a checksum of the keys and values of each view in the online store')
    .addHelpText('after', '\nExamples:\n  $ freshet checksum')
    .action(bind(checksum));
}

interface Options {
  readonly from: ReplayFrom;
  readonly sources?: readonly string[];
  readonly views?: readonly string[];
  readonly dryRun?: boolean;
  readonly skipGap?: boolean;
  readonly into?: string;
}

async function replay({ output, withStore }: Context, options: Options): Promise<void> {
  const { into, ...rest } = options;
  if (into !== undefined && options.from !== 'earliest') {
    throw new FreshetError('INVALID_ARGUMENT', '--into needs --from earliest', {
      next: 'Stores of their own begin empty: only a replay of everything compares with the live ones.',
    });
  }
  await withStore(async (store) => {
    const bar = options.dryRun ? null : output.progress('replay', 0);
    const result = await store
      .replay({
        ...rest,
        ...(into !== undefined && { into: resolve(into) }),
        onProgress: ({ recordsDone, recordsTotal }) => bar?.update(recordsDone, recordsTotal),
      })
      .finally(() => bar?.stop());
    if (output.json) output.result(result, () => '');
    else printResult(output, result);
    if (into === undefined || result.same !== false) return;
    throw new FreshetError('STORE_CORRUPT', 'the replayed stores differ from the live ones', {
      next: 'The log no longer has every record, or the store is damaged: `freshet status` shows gaps.',
    });
  });
}

function printResult(output: Output, { plan, before, after, same }: ReplayResult): void {
  output.table(plan.map(planRow), { empty: 'Nothing to replay.' });
  const records = plan.reduce((sum, partition) => sum + partition.records, 0);
  output.line();
  if (before === null || after === null) {
    output.line(`${formatCount(records)} records would be read again.`);
    return;
  }
  output.table(
    Object.keys({ ...before, ...after }).map((view) => ({
      view,
      rows: after[view]?.rows ?? 0,
      before: before[view]?.sha256.slice(0, 16),
      after: after[view]?.sha256.slice(0, 16),
    })),
    { empty: 'No view has rows.' },
  );
  output.line();
  if (same === true) output.line(`${output.style.green('same')}  every view has the bytes it had.`);
  else if (same === false)
    output.line(`${output.style.red('different')}  see the checksums above.`);
  else output.line('There were new records in the log: the checksums are of different positions.');
}

function planRow({
  topic,
  partition,
  fromOffset,
  untilOffset,
  records,
  clear,
}: PartitionReplay): Record<string, Cell> {
  return { topic, partition, from: fromOffset, until: untilOffset, records, rebuilt: clear };
}

async function checksum({ output, withStore }: Context): Promise<void> {
  const checksums = await withStore((store) => store.checksum());
  output.table(
    Object.entries(checksums).map(([view, { rows, sha256 }]) => ({ view, rows, sha256 })),
    { empty: 'The online store has no rows.' },
  );
}

function parseFrom(text: string): ReplayFrom {
  if (text === 'earliest') return 'earliest';
  if (/^\d+$/.test(text)) return { offset: Number(text) };
  try {
    return { timeMs: Math.floor(toTimestampUs(text) / US_PER_MS) };
  } catch {
    throw new InvalidArgumentError('It must be earliest, an offset or a time.');
  }
}
