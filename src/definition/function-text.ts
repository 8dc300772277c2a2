/**
 * The text of a function as the registry compares it. The same source is printed differently by the
 * command, by a test runner and by a build of the user's: white space, comments, quotes, the
 * writing of numbers, parentheses around one parameter. None of that is kept.
 */
export function functionText(fn: (...args: never[]) => unknown): string {
  return normalized(fn.toString());
}

function normalized(source: string): string {
  const tokens = tokensOf(source);
  return tokens === null ? source : join(withoutOptional(tokens));
}

const WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /0[xob][\da-f_]+n?|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d+)?n?/iy;
const BLANK = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const STRING = /"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'/y;
/** One whose placeholders hold neither blocks nor templates; others are not understood. */
const TEMPLATE = /`(?:[^`\\$]|\\[\s\S]|\$(?!\{)|\$\{[^`{}]*\})*`/y;
const PLACEHOLDER = /(?<!\\)\$\{([^`{}]*)\}/g;
const REGEXP = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const OPERATOR =
  />>>=|\.\.\.|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|=>|[=!]==?|[<>]=|&&|\|\||\?\?|\?\.(?!\d)|\+\+|--|\*\*|<<|>>|[-+*/%&|^]=|[{}()[\];,<>+\-*/%&|^!~?:=.@]/y;

/** Words after which a slash begins a regular expression, not a division. */
const BEFORE_VALUE = new Set(['return', 'typeof', 'case', 'in', 'of', 'void', 'delete', 'await']);

/** Null for a text that is not understood, which is then compared as it is. */
function tokensOf(source: string): string[] | null {
  const tokens: string[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(source)?.[0] ?? null;
    if (found !== null) at += found.length;
    return found;
  };
  while (at < source.length) {
    if (take(BLANK) !== null) continue;
    const string = take(STRING);
    if (string !== null) {
      tokens.push(quoted(string));
      continue;
    }
    const template = take(TEMPLATE);
    if (template !== null) {
      tokens.push(template.replace(PLACEHOLDER, (_, code: string) => `\${${normalized(code)}}`));
      continue;
    }
    const token =
      take(WORD) ??
      number(take(NUMBER)) ??
      (mayBeValue(tokens) ? take(REGEXP) : null) ??
      take(OPERATOR);
    if (token === null) return null;
    tokens.push(token);
  }
  return tokens;
}

function mayBeValue(tokens: readonly string[]): boolean {
  const last = tokens.at(-1);
  if (last === undefined || BEFORE_VALUE.has(last)) return true;
  return !/[\p{ID_Continue}$"')\]}]$/u.test(last);
}

/** In double quotes; other escapes stay as they are. */
function quoted(string: string): string {
  const inner = string.slice(1, -1).replace(/\\(['"])/g, '$1');
  return `"${inner.replaceAll('"', '\\"')}"`;
}

function number(text: string | null): string | null {
  if (text === null) return null;
  const digits = text.replaceAll('_', '');
  return digits.endsWith('n') && !/^0x/i.test(digits) ? digits : String(Number(digits));
}

/** Without semicolons and commas before a closing bracket, and parentheses around one parameter. */
function withoutOptional(tokens: readonly string[]): string[] {
  const kept: string[] = [];
  for (const token of tokens) {
    const last = kept.at(-1);
    if (token === '}' && last === ';') kept.pop();
    const isTrailing = last === ',' && !['[', ','].includes(kept.at(-2) ?? '');
    if (')]}'.includes(token) && isTrailing) kept.pop();
    if (token === '=>' && isLoneParameter(kept)) kept.splice(-3, 3, kept.at(-2) as string);
    kept.push(token);
  }
  return kept;
}

function isLoneParameter(tokens: readonly string[]): boolean {
  const [open, name = '', close] = tokens.slice(-3);
  const isCall = /[\p{ID_Continue}$]$/u.test(tokens.at(-4) ?? '') && tokens.at(-4) !== 'async';
  return open === '(' && close === ')' && /^[\p{ID_Start}$_]/u.test(name) && !isCall;
}

/** With a space only where two tokens would become one. */
function join(tokens: readonly string[]): string {
  let text = '';
  for (const token of tokens) {
    const meets = `${text.at(-1) ?? ''}${token[0]}`;
    const isNeeded =
      /^[\p{ID_Continue}$#][\p{ID_Continue}$#]/u.test(meets) || /\+\+|--|\/\//.test(meets);
    text += isNeeded ? ` ${token}` : token;
  }
  return text;
}
