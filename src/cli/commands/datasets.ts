import type { Command } from 'commander';
import { FreshetError } from '../../errors.ts';
import type { DatasetVerification } from '../../feature-store/index.ts';
import type { Bind, Context } from '../context.ts';
import { formatCount, type Output } from '../output.ts';

/** `dataset list|show|verify|remove`: training data that `join --save` kept. */
export function datasetCommands(program: Command, bind: Bind): void {
  const dataset = program
    .command('dataset')
    .description('saved training data: list, show, verify, remove')
    .addHelpText(
      'after',
      '\nExamples:\n  $ freshet join next_order --entities labels.parquet --save spring\n  $ freshet dataset verify spring',
    );
  dataset
    .command('list')
    .description('list the saved datasets')
    .addHelpText('after', '\nExamples:\n  $ freshet dataset list')
    .action(bind(listDatasets));
  dataset
    .command('show')
    .description('show the receipt of one: what it was made of')
    .argument('<name>')
    .addHelpText('after', '\nExamples:\n  $ freshet dataset show spring')
    .action(bind(show));
  dataset
    .command('verify')
    .description('make one again, and say whether rows that came later would change it')
    .argument('<name>')
    .addHelpText('after', '\nExamples:\n  $ freshet dataset verify spring')
    .action(bind(verify));
  dataset
    .command('remove')
    .description('remove one, with its file')
    .argument('<name>')
    .addHelpText('after', '\nExamples:\n  $ freshet dataset remove spring')
    .action(bind(remove));
}

async function listDatasets({ output, withStore }: Context): Promise<void> {
  const receipts = await withStore((store) => store.datasets.list());
  output.table(
    receipts.map(({ name, createdAt, rowCount, request }) => ({
      name,
      created: createdAt,
      rows: rowCount,
      features: request.service ?? request.features?.join(' '),
    })),
    { empty: 'No dataset is saved; `freshet join … --save <name>` saves one.' },
  );
}

async function show({ output, withStore }: Context, name: string): Promise<void> {
  const receipt = await withStore((store) => store.datasets.receipt(name));
  output.result(receipt, () => JSON.stringify(receipt, null, 2));
}

async function verify({ output, withStore }: Context, name: string): Promise<void> {
  const result = await withStore((store) => store.datasets.verify(name));
  output.result(result, () => '');
  if (!output.json) printVerification(output, result);
  if (result.reproduced === true) return;
  const why =
    result.changedViews.length > 0
      ? `other definitions now: ${result.changedViews.join(', ')}`
      : 'the same snapshot of history gives other bytes';
  throw new FreshetError('VERIFY_FAILED', `dataset "${name}" cannot be made again: ${why}`, {
    next: 'History that was dropped or erased does not come back; save a new dataset.',
  });
}

function printVerification(output: Output, result: DatasetVerification): void {
  const { reproduced, staleRows, staleFeatures } = result;
  const { green, yellow } = output.style;
  if (reproduced) output.line(`${green('same')}   made again from its snapshot, to the same bytes`);
  if (staleRows === 0) output.line(`${green('fresh')}  rows that came later would change nothing`);
  else if (staleRows !== null) {
    const features = Object.entries(staleFeatures).map(
      ([name, rows]) => `${name} in ${formatCount(rows)}`,
    );
    output.line(
      `${yellow('stale')}  history as it is now would change ${formatCount(staleRows)} rows: ${features.join(', ')}`,
    );
  }
}

async function remove({ output, withStore }: Context, name: string): Promise<void> {
  await withStore((store) => store.datasets.remove(name));
  output.result({ removed: name }, () => `${name} is removed.`);
}
