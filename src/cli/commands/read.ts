import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { toJsonValue } from '../../core/coerce.ts';
import type { FieldValue } from '../../core/field-type.ts';
import { formatTimestampUs } from '../../core/time.ts';
import { FreshetError } from '../../errors.ts';
import type { FeatureStore } from '../../feature-store/index.ts';
import type {
  HistoricalFeatures,
  KnownAtOffsets,
  NamedHistoricalRequest,
} from '../../join/index.ts';
import type { OnlineFeatures, Receipt } from '../../serving/index.ts';
import { type Bind, type Context, wholeNumber } from '../context.ts';
import { rowOfKeys } from '../key-values.ts';
import { offsets } from '../offsets.ts';
import { type Cell, formatCount, type Output, type Style } from '../output.ts';

/** `get` and `join`: values out. */
export function readCommands(program: Command, bind: Bind): void {
  program
    .command('get')
    .description('read online values')
    .argument('<what...>', 'view:feature, a view or a service, and key=value of the entity row')
    .option('--row <json>', 'an entity row as JSON; several times for several rows', addRow)
    .option('--full-names', 'name features view__feature')
    .option('--receipt', 'say how current each value is')
    .addHelpText(
      'after',
      `
Examples:
  $ freshet get next_order customer_id=7
  $ freshet get last_order:amount last_order:items customer_id=7
  $ freshet get next_order --row '{"customer_id":7}' --row '{"customer_id":8}'`,
    )
    .action(bind(get));
  program
    .command('join')
    .description('make training data: for each label the values that were known at its time')
    .argument('<what...>', 'view:feature, a view or a service')
    .option(
      '-e, --entities <file>',
      'labels: Parquet or CSV with the join keys and event_timestamp',
    )
    .option('--sql <query>', 'labels: a DuckDB query, such as over read_parquet(…)')
    .option('--from <time>', 'instead of labels: the rows of all entities from this event time')
    .option('--to <time>', 'the last event time; default: now')
    .option('--full-names', 'name features view__feature')
    .option('--strictly-before', 'only rows before the time of the label, not at it')
    .addOption(
      new Option('--known-at <when>', 'arrival: only rows that had arrived by then')
        .choices(['event', 'arrival'])
        .default('event'),
    )
    .addOption(
      new Option('--late <rows>', 'rows behind the grace of their view')
        .choices(['served', 'exclude', 'include'])
        .default('served'),
    )
    .option(
      '--known-at-offsets <places>',
      'only rows below them: topic-partition=offset,…',
      offsets,
    )
    .option('-o, --out <file>', 'write .parquet, .csv or .arrow instead of printing')
    .option('--save <name>', 'keep it as a dataset, with the receipt of how it was made')
    .option('-n, --limit <rows>', 'rows to print', wholeNumber, 20)
    .option('--explain', 'say how the join will be done, and do not do it')
    .addHelpText(
      'after',
      `
Examples:
  $ freshet join next_order --entities labels.parquet --out training.parquet
  $ freshet join last_order:amount --from 2026-01-01 --limit 5
  $ freshet join next_order --entities labels.parquet --save spring`,
    )
    .action(bind(join));
}

const SEVERAL_ROWS =
  'Give each further entity row as JSON: --row \'{"name":"value"}\', several times for several rows.';

interface GetOptions {
  readonly row?: readonly Record<string, unknown>[];
  readonly fullNames?: boolean;
  readonly receipt?: boolean;
}

async function get(
  { output, withStore }: Context,
  what: readonly string[],
  options: GetOptions,
): Promise<void> {
  const { row = [], fullNames = false, receipt = false } = options;
  const key = what.filter(isKey);
  const ofKeys = key.length > 0 ? [rowOfKeys(key, SEVERAL_ROWS)] : [];
  const entityRows = key.length + row.length > 0 ? [...ofKeys, ...row] : [{}];
  const names = what.filter((text) => !isKey(text));
  const answer = await withStore((store) =>
    store.getOnlineFeatures({
      ...featuresOf(store, names),
      entityRows,
      fullFeatureNames: fullNames,
      includeReceipt: receipt,
    }),
  );
  output.result(answer.toJSON(), () =>
    [
      ...entityRows.map((_, i) => rowText(answer, i, output.style)),
      ...answer.degraded.map(({ topic, reason }) =>
        output.style.yellow(`${topic} is degraded: ${reason}`),
      ),
    ].join('\n'),
  );
}

/** One entity row: its keys, a line a feature, and a line for each receipt there is. */
function rowText(answer: OnlineFeatures<unknown>, i: number, style: Style): string {
  const { keys, features, receipts } = answer;
  const title = keys.map(({ name, values }) => `${name}=${show(values[i] ?? null)}`).join(' ');
  const width = Math.max(...features.map(({ name }) => name.length));
  const lines = features.map(({ name, values, statuses, eventTimesUs }) => {
    const eventUs = eventTimesUs[i] ?? null;
    const time = eventUs === null ? '' : `  ${formatTimestampUs(eventUs)}`;
    const note = statuses[i] === 'PRESENT' ? '' : `  ${style.yellow(statuses[i] as string)}`;
    return `  ${name.padEnd(width)}  ${style.bold(show(values[i] ?? null))}${note}${style.dim(time)}`;
  });
  const said = Object.entries(receipts ?? {}).map(
    ([alias, ofRows]) => `  ${style.dim(receiptText(alias, ofRows[i] as Receipt))}`,
  );
  return [title || '(one row)', ...lines, ...said].join('\n');
}

function receiptText(alias: string, receipt: Receipt): string {
  const { view, topic, partition, appliedOffset, streamTimeUs, freshnessUs, effectiveAtUs } =
    receipt;
  const place =
    topic === null ? 'no topic' : partition === null ? topic : `${topic} partition ${partition}`;
  return [
    `receipt of ${alias}: ${alias === view ? '' : `view ${view}, `}${place}`,
    ...(appliedOffset === null ? [] : [`applied below offset ${appliedOffset}`]),
    ...(streamTimeUs === null ? [] : [`stream time ${formatTimestampUs(streamTimeUs)}`]),
    ...(freshnessUs === null
      ? []
      : [`${Math.round(freshnessUs / 1_000_000).toLocaleString('en-US')} s old`]),
    `as of ${formatTimestampUs(effectiveAtUs)}`,
    `definition ${receipt.fingerprint}`,
  ].join(', ');
}

interface JoinOptions {
  readonly entities?: string;
  readonly sql?: string;
  readonly from?: string;
  readonly to?: string;
  readonly fullNames?: boolean;
  readonly strictlyBefore?: boolean;
  readonly knownAt: 'event' | 'arrival';
  readonly late: 'served' | 'exclude' | 'include';
  readonly knownAtOffsets?: KnownAtOffsets;
  readonly out?: string;
  readonly save?: string;
  readonly limit: number;
  readonly explain?: boolean;
}

async function join(
  { output, withStore }: Context,
  what: readonly string[],
  options: JoinOptions,
): Promise<void> {
  await withStore(async (store) => {
    const request: NamedHistoricalRequest = {
      ...featuresOf(store, what),
      ...labelsOf(options),
      ...(options.from !== undefined && { startTime: options.from }),
      ...(options.to !== undefined && { endTime: options.to }),
      fullFeatureNames: options.fullNames ?? false,
      strictlyBefore: options.strictlyBefore ?? false,
      knownAt: options.knownAt,
      late: options.late,
      ...(options.knownAtOffsets && { knownAtOffsets: options.knownAtOffsets }),
    };
    if (options.save !== undefined) {
      const { name, rowCount } = await store.datasets.save(options.save, request);
      const file = store.datasets.path(name);
      output.result(
        { name, file, rows: rowCount },
        () => `${formatCount(rowCount)} rows in ${file}`,
      );
      return;
    }
    await using answer = await store.getHistoricalFeatures(request);
    if (options.explain) {
      const explanation = answer.explain();
      output.result(explanation, () => explanation.text);
    } else if (options.out === undefined) await printRows(output, answer, options.limit);
    else await writeRows(output, answer, resolve(options.out));
  });
}

async function printRows(
  output: Output,
  answer: HistoricalFeatures<Readonly<Record<string, unknown>>>,
  limit: number,
): Promise<void> {
  const rows: Record<string, Cell>[] = [];
  for await (const row of answer) {
    if (rows.length === limit) break;
    rows.push(row as Record<string, Cell>);
  }
  const { rowCount } = answer.metadata;
  output.table(
    rows.map((row) => timesAsText(row)),
    { empty: 'No labels.' },
  );
  if (rowCount > rows.length) {
    output.line(output.style.dim(`${formatCount(rowCount - rows.length)} more; --out writes all.`));
  }
}

async function writeRows(
  output: Output,
  answer: HistoricalFeatures<Readonly<Record<string, unknown>>>,
  file: string,
): Promise<void> {
  if (/\.parquet$/i.test(file)) await answer.toParquet(file);
  else if (/\.csv$/i.test(file)) await answer.toCsv(file);
  else if (/\.arrows?$/i.test(file)) await answer.toArrowFile(file);
  else {
    throw new FreshetError('INVALID_ARGUMENT', `the format of ${file} is not clear from its name`, {
      next: 'Give a name that ends in .parquet, .csv or .arrow.',
    });
  }
  const { rowCount } = answer.metadata;
  output.result({ file, rows: rowCount }, () => `${formatCount(rowCount)} rows in ${file}`);
}

/** One service, or features and whole views, by name. */
function featuresOf(
  { catalog }: FeatureStore,
  names: readonly string[],
): { readonly features: readonly string[] } | { readonly service: string } {
  const [first] = names;
  if (first !== undefined && names.length === 1 && catalog.services.has(first)) {
    return { service: first };
  }
  return {
    features: names.flatMap((name) => {
      const view = catalog.views.get(name) ?? catalog.onDemandViews.get(name);
      return view === undefined
        ? [name]
        : Object.keys(view.schema).map((feature) => `${name}:${feature}`);
    }),
  };
}

/** `name=value`; a feature has its colon first. */
function isKey(text: string): boolean {
  return /^[^:=]+=/.test(text);
}

function labelsOf({ entities, sql }: JoinOptions): Pick<NamedHistoricalRequest, 'entityRows'> {
  if (sql !== undefined) return { entityRows: { sql } };
  if (entities === undefined) return {};
  const file = resolve(entities);
  return { entityRows: /\.csv(\.gz)?$/i.test(file) ? { csv: file } : { parquet: file } };
}

function addRow(text: string, before: readonly object[] = []): readonly object[] {
  try {
    return [...before, JSON.parse(text)];
  } catch (cause) {
    throw new FreshetError('INVALID_ARGUMENT', `--row ${text} is not JSON`, { cause });
  }
}

function show(value: FieldValue): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return String(value);
  const text = toJsonValue('json', value as never);
  return typeof text === 'object' ? JSON.stringify(text) : String(text);
}

/** The label's time as text; features that are timestamps stay microseconds, as programs get them. */
function timesAsText(row: Record<string, Cell>): Record<string, Cell> {
  const time = row['event_timestamp'];
  return typeof time === 'number' ? { ...row, event_timestamp: formatTimestampUs(time) } : row;
}
