import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { didYouMean } from '../core/nearest.ts';
import { FreshetError } from '../errors.ts';
import type { ConfigOverrides, Environment } from './config.ts';
import { CONFIG_SCHEMA, type ConfigValues, knownKeys } from './config-schema.ts';

/**
 * The values of a configuration text, defaults filled in.
 * @throws FreshetError CONFIG_INVALID, CONFIG_KEY_UNKNOWN with the line of the key
 */
export function parseConfig(
  text: string,
  options: {
    readonly file: string;
    readonly environment: Environment;
    readonly overrides?: ConfigOverrides | undefined;
  },
): ConfigValues {
  const { file } = options;
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    throw invalid(`it is not YAML: ${syntax.message}`, { file, line: lineAt(syntax.pos[0]) });
  }
  substitute(document, options.environment, (what, node) =>
    invalid(what, { file, line: lineAt(node.range?.[0] ?? 0) }),
  );
  const input = merge(document.toJS() ?? {}, options.overrides);
  const result = CONFIG_SCHEMA.safeParse(input);
  if (result.success) return result.data;

  const lineOf = (path: readonly PropertyKey[]): number => lineAt(keyOffset(document, path));
  const unknown = result.error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown !== undefined) throw unknownKey(unknown, input, file, lineOf);
  throw invalidValues(result.error.issues, file, lineOf);
}

/**
 * Replaces `${NAME}` in every text by the variable. A value that is one plain `${NAME}` becomes a
 * number or a truth value when it looks like one, as if it stood there; in quotes it stays text.
 */
function substitute(
  document: Document,
  environment: Environment,
  refuse: (what: string, node: Node) => FreshetError,
): void {
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string') return;
      const text = node.value.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
        const value = environment[name];
        if (value === undefined) {
          throw refuse(`it names the environment variable ${name}, which is not set`, node);
        }
        return value;
      });
      const whole = node.type === 'PLAIN' && /^\$\{[^}]*\}$/.test(node.value);
      node.value = whole ? plainValue(text) : text;
    },
  });
}

/** Objects are merged key by key; any other value of `over` replaces that of `base`. */
function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isObject(base) || !isObject(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = merge(base[key], value);
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function plainValue(text: string): string | number | boolean {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

type LineOf = (path: readonly PropertyKey[]) => number;
type UnknownKeys = Extract<z.core.$ZodIssue, { code: 'unrecognized_keys' }>;

function unknownKey(
  issue: UnknownKeys,
  input: unknown,
  file: string,
  lineOf: LineOf,
): FreshetError {
  const [key = ''] = issue.keys;
  const path = [...issue.path, key];
  const advice = didYouMean(key, knownKeys(issue.path, input));
  return new FreshetError('CONFIG_KEY_UNKNOWN', `"${pathText(path)}" is not a key of ${file}`, {
    where: { file, line: lineOf(path), key: pathText(path) },
    next: `${advice} Correct the key in ${file}.`,
  });
}

function invalidValues(
  issues: readonly z.core.$ZodIssue[],
  file: string,
  lineOf: LineOf,
): FreshetError {
  const what = issues.map((issue) => `${pathText(issue.path) || 'it'}: ${issueText(issue)}`);
  const path = issues[0]?.path ?? [];
  return invalid(what.join('; '), { file, line: lineOf(path), key: pathText(path) });
}

/** Zod's own words, except where they hide what is wanted. */
function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return 'is missing';
  }
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options)) {
    return `must be one of ${issue.options.join(', ')}`;
  }
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

/** Where the key of a path stands; of a missing one, the nearest that is there around it. */
function keyOffset(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
    if (pair === undefined || !isScalar(pair.key)) break;
    offset = pair.key.range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
}

function invalid(
  what: string,
  where: { readonly file: string; readonly line: number; readonly key?: string },
): FreshetError {
  return new FreshetError('CONFIG_INVALID', `${where.file}: ${what}`, { where });
}
