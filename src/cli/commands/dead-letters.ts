import type { Command } from 'commander';
import { FreshetError } from '../../errors.ts';
import type { DeadLetter, FeatureStore } from '../../feature-store/index.ts';
import { type Bind, type Context, wholeNumber } from '../context.ts';
import { formatCount } from '../output.ts';

/** `dlq list|show|retry`: records that the engine could not use. */
export function deadLetterCommands(program: Command, bind: Bind): void {
  const dlq = program
    .command('dlq')
    .description('rejected records: list, show, retry')
    .addHelpText(
      'after',
      '\nExamples:\n  $ freshet dlq list\n  $ freshet dlq retry --code ROW_TYPE',
    );
  dlq
    .command('list')
    .description('list rejected records with their reasons')
    .option('--topic <topic>', 'only those of a topic')
    .option('--code <code>', 'only those with an error code, such as ROW_TYPE')
    .option('-n, --limit <rows>', 'rows to print', wholeNumber, 20)
    .addHelpText('after', '\nExamples:\n  $ freshet dlq list\n  $ freshet dlq list --code ROW_TYPE')
    .action(bind(listLetters));
  dlq
    .command('show')
    .description('show one rejected record whole')
    .argument('<id>', 'its id in the list', wholeNumber)
    .addHelpText('after', '\nExamples:\n  $ freshet dlq show 3')
    .action(bind(show));
  dlq
    .command('retry')
    .description('send rejected records to their topics again, those not retried before')
    .option('--id <id>', 'only this one', wholeNumber)
    .option('--topic <topic>', 'only those of a topic')
    .option('--code <code>', 'only those with an error code')
    .addHelpText('after', '\nExamples:\n  $ freshet dlq retry\n  $ freshet dlq retry --id 3')
    .action(bind(retry));
}

interface Filter {
  readonly topic?: string;
  readonly code?: string;
  readonly id?: number;
}

async function listLetters(
  { output, withStore }: Context,
  { limit, ...filter }: Filter & { readonly limit: number },
): Promise<void> {
  const letters: DeadLetter[] = [];
  let count = 0;
  await withStore(async (store) => {
    for await (const letter of store.deadLetters.list(filter)) {
      count++;
      if (letters.length < limit) letters.push(letter);
    }
  });
  output.table(
    letters.map(({ id, code, topic, partition, offset, reason }) => {
      return { id, code, topic, partition, offset, reason };
    }),
    { empty: 'No rejected record.' },
  );
  if (count > letters.length) {
    output.line(output.style.dim(`${formatCount(count - letters.length)} more.`));
  }
}

async function show({ output, withStore }: Context, id: number): Promise<void> {
  const letter = await withStore((store) => findLetter(store, id));
  const { key, value, headers, ...facts } = letter;
  const record = {
    ...facts,
    key: text(key),
    value: text(value),
    headers: headers.map(([name, header]) => [name, text(header)]),
  };
  output.result(record, () =>
    Object.entries(record)
      .map(([name, fact]) => `${name}: ${typeof fact === 'object' ? JSON.stringify(fact) : fact}`)
      .join('\n'),
  );
}

async function retry({ output, withStore }: Context, filter: Filter): Promise<void> {
  const result = await withStore((store) => store.deadLetters.retry(filter));
  output.result(result, () => {
    const note = result.truncated === 0 ? '' : `; ${result.truncated} are not whole and stay`;
    return `${formatCount(result.sent)} records sent again${note}.`;
  });
}

async function findLetter(store: FeatureStore, id: number): Promise<DeadLetter> {
  for await (const letter of store.deadLetters.list({ id })) return letter;
  throw new FreshetError('INVALID_ARGUMENT', `there is no rejected record ${id}`, {
    next: '`freshet dlq list` shows those that are there.',
  });
}

/** UTF-8 where it is text, base64 where it is not. */
function text(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  const buffer = Buffer.from(bytes);
  const decoded = buffer.toString();
  return Buffer.from(decoded).equals(buffer) ? decoded : `base64:${buffer.toString('base64')}`;
}
