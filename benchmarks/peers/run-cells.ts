/** Runs cells of both sides in turns, each in a process of its own. */
import { execFile } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CellResult } from './measure.ts';

const run = promisify(execFile);
const CELL_MS_MAX = 300_000;
/** Ends the running cell when the comparison is ended, so that its folder and its broker go, too. */
const ended = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ended.abort());

/** A program of one side, with the arguments of one cell. */
export type Side = (args: readonly string[]) => Promise<CellResult>;

/** Freshet: `main.ts` of this folder runs the cell that it is asked for. */
export function freshetSide(): Side {
  const program = fileURLToPath(new URL(`main${extname(import.meta.url)}`, import.meta.url));
  return (args) => runCell(process.execPath, [...process.execArgv, program, ...args]);
}

/** Where the programs in Python are, also when this is compiled. */
const PROGRAMS = new URL(
  import.meta.url.endsWith('.ts') ? './' : '../../../benchmarks/peers/',
  import.meta.url,
);

/** A peer's program in Python. */
export function pythonSide(python: string, script: string): Side {
  const program = fileURLToPath(new URL(script, PROGRAMS));
  return (args) => runCell(python, [program, ...args]);
}

async function runCell(command: string, args: readonly string[]): Promise<CellResult> {
  const { stdout } = await run(command, args, {
    maxBuffer: 1 << 26,
    timeout: CELL_MS_MAX,
    killSignal: 'SIGKILL',
    signal: ended.signal,
  });
  return JSON.parse(stdout);
}

/** The median of each figure of the rounds; the answers must be the same in all. */
export function medianOf(rounds: readonly CellResult[]): CellResult {
  const answer = rounds[0]?.answer ?? [];
  for (const round of rounds) requireSame('two rounds of one side', answer, round.answer);
  const pick = (of: (round: CellResult) => number | undefined): number =>
    median(rounds.map((round) => of(round) ?? Number.NaN));
  return {
    seconds: pick((round) => round.seconds),
    one: [pick((round) => round.one?.[0]), pick((round) => round.one?.[1])],
    hundred: [pick((round) => round.hundred?.[0]), pick((round) => round.hundred?.[1])],
    rssMb: pick((round) => round.rssMb),
    answer,
  };
}

/** Says so, and lets the run fail, when two answers differ. */
export function requireSame(what: string, a: readonly number[], b: readonly number[]): void {
  if (a.join() === b.join()) return;
  console.log(`  DIFFERENT ANSWERS of ${what}: ${a.join(' ')} and ${b.join(' ')}`);
  process.exitCode = 1;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
