import type { Command } from 'commander';
import { FreshetError } from '../../errors.ts';
import type { Difference } from '../../feature-store/index.ts';
import { type Bind, type Context, list, wholeNumber } from '../context.ts';
import { type Cell, formatCount } from '../output.ts';

/** `verify`: whether serving and training agree. */
export function verifyCommands(program: Command, bind: Bind): void {
  program
    .command('verify')
    .description('compare online values with the same values joined from the segments, bit for bit')
    .option('--views <names>', 'only these views', list)
    .option('--entities <count>', 'entities a view', wholeNumber, 200)
    .option('--times <count>', 'times a windowed view', wholeNumber, 3)
    .option('--seed <number>', 'which entities and times', wholeNumber, 1)
    .option('-n, --limit <rows>', 'differences to print', wholeNumber, 20)
    .addHelpText(
      'after',
      '\nExamples:\n  $ freshet verify\n  $ freshet verify --views last_order --entities 1000 --json',
    )
    .action(bind(verify));
}

interface Options {
  readonly views?: readonly string[];
  readonly entities: number;
  readonly times: number;
  readonly seed: number;
  readonly limit: number;
}

async function verify({ output, withStore }: Context, options: Options): Promise<void> {
  const { views, entities, times, seed, limit } = options;
  const result = await withStore((store) =>
    store.verify({ ...(views && { views }), entitiesMax: entities, timesMax: times, seed }),
  );
  if (output.json) output.result(result, () => '');
  else {
    output.table(
      result.views.map((view) => ({
        view: view.view,
        entities: view.entities,
        times: view.times.length,
        values: view.values,
        sqlValues: view.sqlValues,
        ...counts(view.differences),
      })),
      { empty: 'No view is both served and joined.' },
    );
  }
  if (result.same) {
    output.line();
    output.line(`${output.style.green('same')}  every value agrees to the last bit.`);
    return;
  }
  const all = result.views.flatMap(({ view, differences }) =>
    differences.map((difference) => differenceRow(view, difference)),
  );
  if (!output.json) {
    output.line();
    output.table(all.slice(0, limit));
  }
  throw new FreshetError('VERIFY_FAILED', `${formatCount(all.length)} values differ`);
}

function counts(differences: readonly Difference[]): Record<Difference['kind'], number> {
  const count = { mismatch: 0, missing: 0, extra: 0, sql: 0 };
  for (const { kind } of differences) count[kind]++;
  return count;
}

function differenceRow(view: string, difference: Difference): Record<string, Cell> {
  const { kind, entity, feature, time, online, recomputed } = difference;
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? Number(v) : v));
  return {
    view,
    kind,
    entity: text(entity),
    feature,
    time,
    online: text(online),
    recomputed: text(recomputed),
  };
}
