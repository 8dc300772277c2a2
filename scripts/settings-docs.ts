import { CONFIG_SCHEMA } from '../src/config/config-schema.ts';

/** What of JSON Schema the settings use. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly required?: readonly string[];
}

const HEAD = `# Settings

Every key of \`freshet.yaml\`, with its type and its default. A key that is not here is refused, with the nearest one that is. Paths are relative to the file; \`\${NAME}\` in a value stands for the environment variable NAME. \`freshet init\` writes [the file with all of them](../../templates/default/freshet.yaml). Made by \`npm run docs\` from [\`config-schema.ts\`](../../src/config/config-schema.ts).
`;
/** Of integers without a bound of their own. */
const SAFE_MAX = Number.MAX_SAFE_INTEGER;

/** The reference of the settings, from the schema that checks them. */
export function renderSettings(): string {
  const schema = CONFIG_SCHEMA.toJSONSchema({ io: 'input' }) as JsonSchema;
  const { project, ...sections } = schema.properties ?? {};
  const first = table([['project', project as JsonSchema, true]]);
  const rest = Object.entries(sections).map(
    ([name, section]) => `## ${name}\n\n${table(rowsOf(name, section, false))}`,
  );
  return [HEAD, first, ...rest].join('\n');
}

type Row = readonly [key: string, schema: JsonSchema, required: boolean];

function table(rows: readonly Row[]): string {
  const lines = rows.map(([key, schema, required]) =>
    ['', `\`${key}\``, typeOf(key, schema), defaultOf(schema, required), meaningOf(schema), '']
      .join(' | ')
      .trim(),
  );
  return `${['| key | type | default | what it is |', '| --- | --- | --- | --- |', ...lines].join('\n')}\n`;
}

/** The leaves below a key: objects by their keys, lists of objects by `[]`, names by `<name>`. */
function rowsOf(key: string, schema: JsonSchema, required: boolean): Row[] {
  const own: Row[] = schema.description === undefined ? [] : [[key, schema, required]];
  const below = objectsOf(schema);
  if (below.length === 0) return [[key, schema, required]];
  return [
    ...own,
    ...below.flatMap(([suffix, object]) =>
      Object.entries(object.properties ?? {}).flatMap(([name, property]) =>
        rowsOf(`${key}${suffix}.${name}`, property, object.required?.includes(name) ?? false),
      ),
    ),
  ];
}

function objectsOf(schema: JsonSchema): [suffix: string, object: JsonSchema][] {
  const { properties, items, additionalProperties } = schema;
  if (properties !== undefined) return [['', schema]];
  if (items?.properties !== undefined) return [['[]', items]];
  if (typeof additionalProperties === 'object' && additionalProperties.properties !== undefined) {
    return [['.<view>', additionalProperties]];
  }
  return [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap(objectsOf);
}

function typeOf(key: string, schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.anyOf !== undefined) {
    return schema.anyOf.map((member) => typeOf(key, member)).join(' or ');
  }
  const types = [schema.type ?? 'object'].flat();
  return types.map((type) => nameOf(type as string, key, schema)).join(' or ');
}

function nameOf(type: string, key: string, schema: JsonSchema): string {
  switch (type) {
    case 'integer':
      return [`whole number${rangeOf(schema)}`, unitOf(key)].filter(Boolean).join(', ');
    case 'array':
      return `list of ${schema.items?.properties ? 'objects' : typeOf(key, schema.items ?? {})}`;
    case 'object':
      return objectsOf(schema).some(([suffix]) => suffix === '.<view>') ? 'by view' : 'object';
    case 'boolean':
      return '`true`, `false`';
    case 'string':
      if (schema.format === 'uri') return 'URL';
      return schema.pattern?.endsWith('(ms|s|m|h|d|w)$') ? 'duration, such as `30d`' : 'text';
    default:
      return type;
  }
}

function rangeOf({ minimum = 0, maximum = SAFE_MAX }: JsonSchema): string {
  if (maximum < SAFE_MAX) return ` from ${minimum} to ${maximum}`;
  return minimum > 1 ? ` from ${minimum}` : '';
}

/** By the end of the name, as everywhere in Freshet. */
function unitOf(key: string): string {
  const name = key.slice(key.lastIndexOf('.') + 1);
  if (/Ms(Max)?$/.test(name)) return 'milliseconds';
  return /Bytes(Max|Target)?$|^bytes$/.test(name) ? 'bytes' : '';
}

function defaultOf(schema: JsonSchema, required: boolean): string {
  if (required) return 'none: it must be there';
  return schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``;
}

function meaningOf({ description = '' }: JsonSchema): string {
  return description.replaceAll('|', '\\|');
}
