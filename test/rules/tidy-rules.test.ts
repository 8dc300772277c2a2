import { describe, expect, it } from 'vitest';
import {
  anchorsOf,
  type Ban,
  FILE_LINES_MAX,
  FUNCTION_LINES_MAX,
  leftoversOf,
  machinePathsOf,
  relativeLinksOf,
  tidyFaults,
  titlesOf,
} from './tidy-rules.ts';

const bans: Ban[] = [
  { what: 'the wall clock', mention: /^(Date\.now|new Date\(\))/, places: ['src/clock.ts'] },
  { what: 'output', mention: /^console\./, places: ['src/cli/'] },
  { what: 'a timer', mention: /^(setTimeout\(|import node:timers)/, places: [] },
];

describe('the tidy rules', () => {
  it('let a tidy file pass', () => {
    expect(faultsOf('export const a = (): Date => new Date(0);\n')).toEqual([]);
  });

  it('count the lines of a file', () => {
    const lines = 'const a = 1;\n';
    expect(faultsOf(lines.repeat(FILE_LINES_MAX))).toEqual([]);
    expect(faultsOf(lines.repeat(FILE_LINES_MAX + 1))).toEqual(['src/a.ts: 501 lines']);
  });

  it('count the lines of functions and methods, but not those of a class or a test', () => {
    const body = 'a();\n'.repeat(FUNCTION_LINES_MAX - 1);
    expect(faultsOf(`function f() {\n${body}}`)).toEqual(['src/a.ts:1: function of 71 lines']);
    expect(faultsOf(`const f = () => {\n${body}};`)).toEqual(['src/a.ts:1: function of 71 lines']);
    const method = `class A {\n  f() {\n${body}}\n}`;
    expect(faultsOf(method)).toEqual(['src/a.ts:2: function of 71 lines']);
    expect(faultsOf(`it('a', () => {\n${body}});`, 'test/a.test.ts')).toEqual([]);
  });

  it('find what is said outside its place, also when it is passed on', () => {
    const clock = 'src/a.ts:1: the wall clock outside its place';
    expect(faultsOf('const now = Date.now;')).toEqual([clock]);
    expect(faultsOf('const now = new Date();')).toEqual([clock]);
    expect(faultsOf('const now = Date.now();', 'src/clock.ts')).toEqual([]);
    expect(faultsOf('console.log(1);', 'src/cli/main.ts')).toEqual([]);
    expect(faultsOf('console.log(1);')).toContain('src/a.ts:1: output outside its place');
    const timer = 'src/a.ts:1: a timer outside its place';
    expect(faultsOf('setTimeout(f, 1);')).toEqual([timer]);
    expect(faultsOf("import { setTimeout as sleep } from 'node:timers/promises';")).toEqual([
      timer,
    ]);
  });

  it('ignore what stands in comments and texts', () => {
    expect(faultsOf("// Date.now()\nconst text = 'console.log(1)';")).toEqual([]);
  });

  it('find default exports, except in configuration of tools', () => {
    const fault = ['src/a.ts:1: default export'];
    expect(faultsOf('export default 1;')).toEqual(fault);
    expect(faultsOf('export default function f() {}')).toEqual(fault);
    expect(faultsOf('export default 1;', 'vitest.config.ts')).toEqual([]);
  });

  it('find work that was put off', () => {
    expect(leftoversOf('a\n// TODO later\nb')).toEqual(['// TODO later']);
    expect(leftoversOf('a todo list')).toEqual([]);
  });

  it('read titles, anchors and links of Markdown, but not in code', () => {
    const markdown = [
      '# One',
      '```bash',
      '# no title [no](link.md)',
      '```',
      '## What `a` is, exactly',
      '[a](a.md) ![b](b.svg) `[c](c.md)` [d](https://example.com) [e](#one)',
      '<img src="f.svg">',
    ].join('\n');
    expect(titlesOf(markdown)).toEqual(['# One']);
    expect(anchorsOf(markdown)).toEqual(['one', 'what-a-is-exactly']);
    expect(relativeLinksOf(markdown)).toEqual(['a.md', 'b.svg', '#one', 'f.svg']);
  });

  it('find paths of one machine, but no relative ones', () => {
    expect(machinePathsOf('open /home/ann/data and /tmp/x')).toEqual(['/home/ann/data', '/tmp/x']);
    expect(machinePathsOf('./work/a src/tmp/b https://a.org/root/c')).toEqual([]);
  });
});

function faultsOf(text: string, path = 'src/a.ts'): string[] {
  return tidyFaults({ path, text }, bans);
}
