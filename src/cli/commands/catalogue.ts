import { Argument, type Command } from 'commander';
import { didYouMean } from '../../core/nearest.ts';
import { formatDuration } from '../../core/time.ts';
import type { DefinitionRecord } from '../../definition/index.ts';
import { FreshetError } from '../../errors.ts';
import type { ViewCost } from '../../feature-store/index.ts';
import { type LineageEdge, lineage } from '../../registry/index.ts';
import type { Bind, Context } from '../context.ts';
import { type Cell, formatCount, formatTable, type Output } from '../output.ts';

const KINDS = {
  entities: ['entity'],
  sources: ['topicSource', 'parquetSource', 'requestSource'],
  views: ['featureView', 'onDemandFeatureView'],
  services: ['featureService'],
} as const satisfies Record<string, readonly DefinitionRecord['kind'][]>;

/** `list` and `describe`: what is applied. */
export function catalogueCommands(program: Command, bind: Bind): void {
  program
    .command('list')
    .description('list what is applied')
    .addArgument(new Argument('<kind>', 'what').choices(Object.keys(KINDS)))
    .addHelpText('after', '\nExamples:\n  $ freshet list views\n  $ freshet list sources --json')
    .action(bind(listDefinitions));
  program
    .command('describe')
    .description('describe one entity, source, view or service')
    .argument('<name>', 'its name')
    .addHelpText('after', '\nExamples:\n  $ freshet describe last_order')
    .action(bind(describe));
}

async function listDefinitions(
  { output, withStore }: Context,
  kind: keyof typeof KINDS,
): Promise<void> {
  const { definitions, views } = await withStore((store) => store.registry());
  const kinds: readonly string[] = KINDS[kind];
  const rows = definitions
    .filter((definition) => kinds.includes(definition.kind))
    .map((definition) => ({
      name: definition.name,
      kind: definition.kind,
      ...summary(definition),
      ...(views[definition.name] && { state: views[definition.name] }),
      owner: definition.owner || null,
      description: definition.description || null,
    }));
  output.table(rows, { empty: `No ${kind} are applied: run \`freshet apply\`.` });
}

async function describe({ output, withStore }: Context, name: string): Promise<void> {
  const { definitions, cost } = await withStore(async (store) => ({
    definitions: (await store.registry()).definitions,
    cost: store.catalog.views.has(name) ? await store.viewCost(name) : null,
  }));
  const found = definitions.filter((definition) => definition.name === name);
  if (found.length === 0) {
    const hint = didYouMean(
      name,
      definitions.map((definition) => definition.name),
    );
    throw new FreshetError(
      'FEATURE_VIEW_NOT_FOUND',
      `nothing named "${name}" is applied. ${hint}`,
      {
        next: '`freshet list views` shows the applied views.',
      },
    );
  }
  const edges = lineage(definitions);
  const described = found.map((definition) => ({
    ...definition,
    madeFrom: edges.filter(({ from }) => isOf(from, definition)).map(({ to }) => to),
    usedBy: edges.filter(({ to }) => isOf(to, definition)).map(({ from }) => from),
    ...(definition.kind === 'featureView' && cost !== null && { cost }),
  }));
  output.result(described, () =>
    described.map((definition) => describeText(output, definition)).join('\n\n'),
  );
}

function isOf(end: LineageEdge['from'], { kind, name }: DefinitionRecord): boolean {
  return end.kind === kind && end.name === name;
}

function describeText(
  { style }: Output,
  definition: DefinitionRecord & {
    readonly madeFrom: readonly LineageEdge['to'][];
    readonly usedBy: readonly LineageEdge['from'][];
    readonly cost?: ViewCost;
  },
): string {
  const { spec, kind, name, description, owner, tags, fingerprint } = definition;
  const schema = spec['schema'] as Readonly<Record<string, string>> | undefined;
  const facts: Record<string, string> = {
    ...(description && { description }),
    ...(owner && { owner }),
    ...(Object.keys(tags).length > 0 && { tags: pairs(tags) }),
    ...factsOf(spec),
    'made from': definition.madeFrom.map((end) => `${end.kind} ${end.name}`).join(', ') || '-',
    'used by': definition.usedBy.map((end) => `${end.kind} ${end.name}`).join(', ') || '-',
    fingerprint,
  };
  const width = Math.max(...Object.keys(facts).map((fact) => fact.length));
  return [
    `${kind} ${style.bold(name)}`,
    ...Object.entries(facts).map(([fact, text]) => `  ${style.dim(fact.padEnd(width))}  ${text}`),
    ...(schema === undefined ? [] : ['', indent(schemaTable(schema, spec, style))]),
    ...(definition.cost === undefined ? [] : ['', ...costLines(definition.cost, style)]),
  ].join('\n');
}

/** What the specification says beside its schema, in a person's words. */
function factsOf(spec: DefinitionRecord['spec']): Record<string, string> {
  const facts: Record<string, string> = {};
  for (const [property, value] of Object.entries(spec)) {
    if (property === 'schema' || property === 'windowing' || value === null) continue;
    if (property.endsWith('Us')) facts[property.slice(0, -2)] = formatDuration(value as number);
    else if (typeof value === 'object') facts[property] = pairs(value);
    else facts[property] = String(value);
  }
  return facts;
}

function costLines({ entities, bytes, reads }: ViewCost, style: Output['style']): string[] {
  const each = entities === 0 ? '' : `, ${formatCount(Math.round(bytes / entities))} bytes each`;
  const stored = `  stored  ${formatCount(entities)} entities${each}`;
  if (reads.length === 0) return [stored];
  const rows = reads.map(({ window, tileUs, tiles, values, bytes: read, retentionUs }) => ({
    window: window.label,
    tile: tileUs === null ? null : formatDuration(tileUs),
    tiles,
    'values read': values,
    bytes: read,
    kept: retentionUs === null ? 'for ever' : formatDuration(retentionUs),
  }));
  return [stored, '', indent(formatTable(rows, style))];
}

function schemaTable(
  schema: Readonly<Record<string, string>>,
  spec: DefinitionRecord['spec'],
  style: Output['style'],
): string {
  const windowing = spec['windowing'] as { aggregations: Aggregation[] } | null | undefined;
  const rows = Object.entries(schema).map(([field, type]): Record<string, Cell> => {
    const aggregation = windowing?.aggregations.find(({ feature }) => feature === field);
    if (aggregation === undefined) return { field, type };
    const { column, window } = aggregation;
    return { field, type, function: aggregation.function.name, column, window: window.label };
  });
  return formatTable(rows, style);
}

interface Aggregation {
  readonly feature: string;
  readonly column: string | null;
  readonly function: { readonly name: string };
  readonly window: { readonly label: string };
}

function summary({ spec }: DefinitionRecord): Record<string, Cell> {
  const keys = spec['joinKeys'] as Readonly<Record<string, string>> | undefined;
  const schema = spec['schema'] as Readonly<Record<string, string>> | undefined;
  return {
    ...(keys && { joinKeys: Object.keys(keys).join(', ') || '(one row)' }),
    ...(schema && { features: Object.keys(schema).length }),
    ...(spec['topic'] !== undefined && { topic: String(spec['topic']) }),
    ...(spec['path'] !== undefined && { path: String(spec['path']) }),
    ...(spec['ttlUs'] !== undefined && {
      ttl: spec['ttlUs'] === null ? 'never' : formatDuration(spec['ttlUs'] as number),
    }),
  };
}

function pairs(value: object): string {
  if (Array.isArray(value)) {
    return value.map((v) => (typeof v === 'object' ? JSON.stringify(v) : String(v))).join(', ');
  }
  return Object.entries(value)
    .map(([name, v]) => `${name}: ${typeof v === 'object' ? JSON.stringify(v) : String(v)}`)
    .join(', ');
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
