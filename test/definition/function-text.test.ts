// biome-ignore-all lint/suspicious/noTemplateCurlyInString: sources are text here
import { transformSync } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { functionText } from '../../src/definition/function-text.ts';

/** The function that a source text makes. */
function made(source: string): (...args: never[]) => unknown {
  return new Function(`return (${source})`)() as () => unknown;
}

const text = (source: string): string => functionText(made(source));

const SOURCES = [
  '(row) => ({ double: (row.amount ?? 0) * 2 })',
  '(row) => row.kind === \'it\\\'s\' || row.kind === "say \\"hi\\""',
  'function (row) { const x = 1_000; if (x > 0.5) { return { x, }; } return { x: [1, 2,], }; }',
  '(row) => { // why\n  const a = row.a; /* not */\n  return { b: a / 2 / 1e3, ok: /[/"]x\\/y/i.test(row.c) };\n}',
  'async (row) => { for (const k of row.ks) { if (k in row) delete row[k]; } return +row.a - -row.b; }',
  '(a, b) => a?.b ? .5 : b ** 2',
  '({ a, ...rest }) => ({ ...rest, n: 12n, h: 0xff, m: [, a] })',
  '(row) => `${ row.a + 1 } and ${row["b"] }  \\${no} $ {}`',
  '(row) => typeof row.a === "string" && !(row.b instanceof Date)',
];

describe('the text of a function', () => {
  it.each(SOURCES)('is the same however it is printed: %s', (source) => {
    const wrapped = `export const f = ${source}`;
    const printed = [
      {},
      { minifyWhitespace: true },
      { format: 'cjs' as const },
      { charset: 'ascii' as const },
    ].map((options) => {
      const { code } = transformSync(wrapped, { loader: 'ts', target: 'es2022', ...options });
      const [, body = ''] =
        /(?:const f ?= ?)([\s\S]*?);?\s*(?:export\s*\{[^}]*\};?\s*|\/\/ Ann[\s\S]*)?$/.exec(code) ??
        [];
      return text(body.trim());
    });
    expect(new Set([text(source), ...printed]).size, printed.join('\n')).toBe(1);
  });

  it('keeps what is meant', () => {
    const different = [
      '(row) => row.a',
      '(row) => row.b',
      '(row) => row.a + 1',
      '(row) => row.a - 1',
      '(row) => row.a - -1',
      '(row) => row.a-- - 1',
      "(row) => 'a b'",
      "(row) => 'ab'",
      "(row) => '// a'",
      "(row) => '\\n'",
      "(row) => 'n'",
      '(row) => /a b/',
      '(row) => /ab/',
      '(row) => [,]',
      '(row) => []',
      '(row) => 1',
      '(row) => 1n',
      '(row) => 10',
      '(row) => { return row.a }',
      'async (row) => row.a',
      '(row) => `a b`',
      '(row) => `ab`',
      '() => row.a',
      'function (row) { return row.a }',
      '(row) => typeof row',
      '(row) => row.typeof',
    ];
    expect(new Set(different.map(text)).size).toBe(different.length);
  });

  it('can be read as a function again', () => {
    for (const source of SOURCES) expect(text(text(source))).toBe(text(source));
  });

  it('is as it is where a template holds more code than an expression', () => {
    const source = '(row)  =>  `${ [row].map((r) => { return r.a }) }  b`';
    expect(text(source)).toBe(source);
  });

  it('is as it is where it cannot be understood', () => {
    expect(functionText(Math.max)).toBe(functionText(Math.max));
    const odd = Object.assign(() => 1, { toString: () => '§' });
    expect(functionText(odd)).toBe('§');
  });
});
