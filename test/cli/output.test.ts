import { describe, expect, it } from 'vitest';
import { type Cell, createOutput, formatTable, toJson } from '../../src/cli/output.ts';
import { FreshetError } from '../../src/errors.ts';
import { CapturedStream } from './support.ts';

const ESCAPE = '\x1b[';

describe('a table', () => {
  const rows: readonly Record<string, Cell>[] = [
    { name: 'flights', rows: 1234567, offset: 9007199254740993n, ok: true },
    { name: 'a', rows: 0.5, offset: null, late: 'x' },
  ];
  const lines = (cells: readonly Record<string, Cell>[]): string[] =>
    printed({}, (output) => output.table(cells))
      .stdout.trimEnd()
      .split('\n');

  it('has a column for every name, numbers to the right, and - for what is not there', () => {
    expect(lines(rows)).toEqual([
      'name          rows            offset  ok    late',
      'flights  1,234,567  9007199254740993  true  -',
      'a              0.5                 -  -     x',
    ]);
  });

  it('says what is meant where it has no rows', () => {
    expect(printed({}, (output) => output.table([], { empty: 'No row.' })).stdout).toBe(
      'No row.\n',
    );
  });

  it('is an array for programs, empty or not', () => {
    const table = (cells: readonly Record<string, Cell>[]): unknown =>
      JSON.parse(printed({ json: true }, (output) => output.table(cells)).stdout);
    expect(table([])).toEqual([]);
    expect(table(rows)).toEqual([
      { name: 'flights', rows: 1234567, offset: '9007199254740993', ok: true },
      { name: 'a', rows: 0.5, offset: null, late: 'x' },
    ]);
  });

  it('is in bold only where colours are', () => {
    const style = { bold: (text: string) => `*${text}*` } as never;
    expect(formatTable([{ a: 1 }], style)).toBe('*a*\n1');
  });
});

describe('JSON', () => {
  it('has safe whole numbers as numbers, larger ones as text, and bytes as base64', () => {
    const value = { small: 7n, large: 2n ** 60n, bytes: new Uint8Array([1, 2, 3]) };
    expect(JSON.parse(toJson(value))).toEqual({
      small: 7,
      large: String(2n ** 60n),
      bytes: 'AQID',
    });
  });

  it('keeps lines for people away', () => {
    const { stdout } = printed({ json: true }, (output) => {
      output.line('for people');
      output.result({ a: 1 }, () => 'for people');
    });
    expect(JSON.parse(stdout)).toEqual({ a: 1 });
  });
});

describe('colours', () => {
  const print = (output: ReturnType<typeof createOutput>): void => {
    output.line(output.style.green('fine'));
    output.error(new FreshetError('DISK_FULL', 'no space'));
  };

  it('are on a terminal', () => {
    const { stdout, stderr } = printed({ color: true, isTerminal: true }, print);
    expect(stdout).toContain(ESCAPE);
    expect(stderr).toContain(ESCAPE);
  });

  it('are off where nobody wants them', () => {
    const { stdout, stderr } = printed({ color: false, isTerminal: true }, print);
    expect(stdout + stderr).not.toContain(ESCAPE);
  });

  it('are off in a pipe, of the two streams the one that is it', () => {
    const terminal = new CapturedStream(true);
    const pipe = new CapturedStream(false);
    const streams = { stdout: terminal.asTerminal, stderr: pipe.asTerminal };
    print(createOutput({ ...streams, json: false, color: true, nowMs: () => 0 }));
    expect(terminal.text).toContain(ESCAPE);
    expect(pipe.text).not.toContain(ESCAPE);
  });
});

describe('progress where there is no terminal', () => {
  it('is a line every five seconds and one at the end, without those of before in its rate', () => {
    let nowMs = 0;
    const { stderr, stdout } = printed({ nowMs: () => nowMs }, (output) => {
      const progress = output.progress('produce', 4_000, 1_000);
      nowMs = 1_000;
      progress.update(1_500);
      nowMs = 5_000;
      progress.update(2_000);
      nowMs = 6_000;
      progress.update(4_000);
      progress.stop();
    });
    expect(stderr).toBe('produce 50%  2,000/4,000  200/s\nproduce 100%  4,000/4,000  500/s\n');
    expect(stdout).toBe('');
  });

  it('gives no share of a whole that is not known', () => {
    const { stderr } = printed({}, (output) => {
      const progress = output.progress('produce', 0);
      progress.update(20);
      progress.stop();
    });
    expect(stderr).toBe('produce 20  0/s\n');
  });

  it('takes a total that becomes known later', () => {
    const { stderr } = printed({}, (output) => {
      const progress = output.progress('replay', 0);
      progress.update(20, 80);
      progress.update(40);
      progress.stop();
    });
    expect(stderr).toBe('replay 50%  40/80  0/s\n');
  });

  it('leaves both streams to results and errors with --json', () => {
    const { stdout, stderr } = printed({ json: true }, (output) => {
      const progress = output.progress('run', 10);
      progress.update(10);
      progress.stop();
      output.result([], () => '');
    });
    expect(JSON.parse(stdout)).toEqual([]);
    expect(stderr).toBe('');
  });
});

describe('progress on a terminal', () => {
  it('is a bar, and a count where the whole is not known', () => {
    const { stderr } = printed({ isTerminal: true }, (output) => {
      const known = output.progress('run', 200);
      known.update(200);
      known.stop();
      const unknown = output.progress('read', 0);
      unknown.update(7);
      unknown.stop();
    });
    expect(stderr).toMatch(/run █{40} 100% {2}200\/200/);
    expect(stderr).toContain('read 7  0/s');
  });
});

describe('an error', () => {
  const error = new FreshetError('ROW_TYPE', 'row 3: delay is not an int32', {
    where: { topic: 'flights', row: 3 },
    next: 'Mend it.',
  });

  it('has its code, its place and what to do next, and never a stack', () => {
    const { stderr, stdout } = printed({}, (output) => output.error(error));
    expect(stderr).toBe(
      'error ROW_TYPE: row 3: delay is not an int32\n  where: topic flights, row 3\n  next:  Mend it.\n',
    );
    expect(stdout).toBe('');
  });

  it('is an object for programs', () => {
    const { stderr } = printed({ json: true }, (output) => output.error(error));
    const { code, message, where, next } = error;
    expect(JSON.parse(stderr)).toEqual({ error: { code, message, where, next } });
  });

  it('of no code asks to be reported, without a stack', () => {
    const { stderr } = printed({}, (output) => output.error(new TypeError('x is undefined')));
    expect(stderr).toMatch(/^error x is undefined\n {2}next: {2}This is a fault of Freshet itself/);
    expect(stderr).not.toMatch(/^ {4}at /m);
    const json = printed({ json: true }, (output) => output.error('thrown text')).stderr;
    expect(JSON.parse(json)).toMatchObject({ error: { code: 'INTERNAL', message: 'thrown text' } });
  });
});

interface PrintOptions {
  readonly json?: boolean;
  readonly color?: boolean;
  readonly isTerminal?: boolean;
  readonly nowMs?: () => number;
}

function printed(
  { json = false, color = false, isTerminal = false, nowMs = () => 0 }: PrintOptions,
  print: (output: ReturnType<typeof createOutput>) => void,
): { readonly stdout: string; readonly stderr: string } {
  const stdout = new CapturedStream(isTerminal);
  const stderr = new CapturedStream(isTerminal);
  const streams = { stdout: stdout.asTerminal, stderr: stderr.asTerminal };
  print(createOutput({ ...streams, json, color, nowMs }));
  return { stdout: stdout.text, stderr: stderr.text };
}
