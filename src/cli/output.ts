/**
 * What the commands print: tables for people, `--json` for programs, progress on standard error.
 * Colours only on a terminal and never with NO_COLOR or `--no-color`.
 */
import { SingleBar } from 'cli-progress';
import { FreshetError } from '../errors.ts';

export interface Output {
  readonly json: boolean;
  /** One line for a person; nothing with --json. */
  line(text?: string): void;
  /** A table for a person, the rows as a JSON array with --json. */
  table(rows: readonly Readonly<Record<string, Cell>>[], options?: TableOptions): void;
  /** The value with --json; `text` for a person. */
  result(value: unknown, text: () => string): void;
  /**
   * A bar on a terminal, a line every few seconds elsewhere, nothing with --json: what then comes on
   * standard error is an error. `total` is 0 while it is not known;
   * `start` is what was done before this run, which its rate does not count.
   */
  progress(label: string, total: number, start?: number): Progress;
  error(thrown: unknown): void;
  readonly style: Style;
}

export type Cell = string | number | bigint | boolean | null | undefined;

export interface TableOptions {
  /** Said instead of an empty table. */
  readonly empty?: string;
}

export interface Progress {
  /** `total` where it has become another than was thought. */
  update(done: number, total?: number): void;
  stop(): void;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
}

export interface OutputOptions {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly json: boolean;
  /** Whether colours are wanted; a stream that is no terminal never gets them. */
  readonly color: boolean;
  readonly nowMs: () => number;
}

/** Milliseconds between two progress lines where there is no terminal. */
const PROGRESS_LINE_MS = 5_000;
/** Signs of a progress bar. */
const BAR_WIDTH = 40;

export function createOutput(options: OutputOptions): Output {
  const { stdout, stderr, json, nowMs } = options;
  const style = makeStyle(options.color && stdout.isTTY === true);
  const errorStyle = makeStyle(options.color && stderr.isTTY === true);
  const print = (text: string): void => void stdout.write(`${text}\n`);
  return {
    json,
    style,
    line: (text = '') => {
      if (!json) print(text);
    },
    table: (rows, tableOptions = {}) => {
      if (json) print(toJson(rows));
      else if (rows.length === 0) print(style.dim(tableOptions.empty ?? 'nothing'));
      else print(formatTable(rows, style));
    },
    result: (value, text) => print(json ? toJson(value) : text()),
    progress: (label, total, start = 0) => {
      if (json) return { update: () => {}, stop: () => {} };
      const make = stderr.isTTY ? progressBar : progressLines;
      return make({ stream: stderr, label, total, start, nowMs });
    },
    error: (thrown) => {
      if (json) stderr.write(`${toJson({ error: errorOf(thrown) })}\n`);
      else stderr.write(`${errorStyle.red('error')} ${describeError(thrown)}\n`);
    },
  };
}

/** JSON with whole numbers of 64 bits: as numbers when safe, otherwise as text. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, v) => {
      if (typeof v === 'bigint') return Number.isSafeInteger(Number(v)) ? Number(v) : String(v);
      return v instanceof Uint8Array ? Buffer.from(v).toString('base64') : v;
    },
    2,
  );
}

export function formatTable(rows: readonly Readonly<Record<string, Cell>>[], style: Style): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => names.map((name) => formatCell(row[name])));
  const right = names.map((name) =>
    rows.every((row) => row[name] == null || ['number', 'bigint'].includes(typeof row[name])),
  );
  const widths = names.map((name, i) =>
    Math.max(name.length, ...cells.map((row) => (row[i] as string).length)),
  );
  const pad = (text: string, i: number): string =>
    right[i] ? text.padStart(widths[i] as number) : text.padEnd(widths[i] as number);
  const head = names
    .map((name, i) => pad(name, i))
    .join('  ')
    .trimEnd();
  const body = cells.map((row) => row.map(pad).join('  ').trimEnd());
  return [style.bold(head), ...body].join('\n');
}

export function formatCount(n: number): string {
  return n.toLocaleString('en-US');
}

function formatCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '-';
  if (typeof cell === 'number') return Number.isInteger(cell) ? formatCount(cell) : String(cell);
  return String(cell);
}

function errorOf(thrown: unknown): unknown {
  if (thrown instanceof FreshetError) return thrown.toJSON();
  return { code: 'INTERNAL', message: thrown instanceof Error ? thrown.message : String(thrown) };
}

function describeError(thrown: unknown): string {
  if (thrown instanceof FreshetError) return thrown.describe();
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return `${message}\n  next:  This is a fault of Freshet itself; please report it with the command you ran.`;
}

interface ProgressOptions {
  readonly stream: NodeJS.WriteStream;
  readonly label: string;
  readonly total: number;
  readonly start: number;
  readonly nowMs: () => number;
}

function progressBar({ stream, label, total, start, nowMs }: ProgressOptions): Progress {
  const bar = new SingleBar({
    format: (_, { value, total: all, progress }, { rate, left }) => {
      if (all === 0) return `${label} ${formatCount(value)}  ${rate}/s`;
      const done = Math.round(BAR_WIDTH * progress);
      const bar = '█'.repeat(done) + '░'.repeat(BAR_WIDTH - done);
      const percent = Math.floor(100 * progress);
      return `${label} ${bar} ${percent}%  ${formatCount(value)}/${formatCount(all)}  ${rate}/s  ${left} left`;
    },
    hideCursor: true,
    stream,
  });
  const startMs = nowMs();
  bar.start(total, start, { rate: '0', left: '-' });
  return {
    update: (done, newTotal = bar.getTotal()) => {
      if (newTotal !== bar.getTotal()) bar.setTotal(newTotal);
      bar.update(done, pace(done - start, newTotal - done, nowMs() - startMs));
    },
    stop: () => bar.stop(),
  };
}

function progressLines({ stream, label, total, start, nowMs }: ProgressOptions): Progress {
  const startMs = nowMs();
  let lastMs = startMs;
  let all = total;
  const write = (done: number): void => {
    const { rate } = pace(done - start, all - done, nowMs() - startMs);
    const percent = all === 0 ? '' : ` ${Math.floor((100 * done) / all)}% `;
    const of = all === 0 ? '' : `/${formatCount(all)}`;
    stream.write(`${label}${percent} ${formatCount(done)}${of}  ${rate}/s\n`);
  };
  let last = start;
  return {
    update: (done, newTotal = all) => {
      last = done;
      all = newTotal;
      if (nowMs() - lastMs < PROGRESS_LINE_MS) return;
      lastMs = nowMs();
      write(done);
    },
    stop: () => write(last),
  };
}

function pace(done: number, left: number, elapsedMs: number): { rate: string; left: string } {
  const perSecond = elapsedMs === 0 ? 0 : (1_000 * done) / elapsedMs;
  const seconds = perSecond === 0 ? null : Math.ceil(left / perSecond);
  return {
    rate: formatCount(Math.round(perSecond)),
    left: seconds === null ? '-' : seconds < 90 ? `${seconds}s` : `${Math.ceil(seconds / 60)}min`,
  };
}

function makeStyle(color: boolean): Style {
  const wrap =
    (open: number, close: number) =>
    (text: string): string =>
      color ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
  };
}
