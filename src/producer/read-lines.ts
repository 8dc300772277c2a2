import { StringDecoder } from 'node:string_decoder';
import { FreshetError } from '../errors.ts';
import type { RowReject } from './feature-producer.ts';
import type { RowsRead } from './row-reader.ts';

const ROWS_PER_BATCH = 2_048;
/** No row may have more than 1 MiB; its JSON may be a few times longer. */
const LINE_LENGTH_MAX = 16 * 1024 * 1024;

/**
 * Newline-delimited JSON: one object a line, empty lines left out. Rows of a live stream come as
 * soon as they have arrived.
 * @throws FreshetError ROW_TOO_LARGE for input that goes on without a line's end
 */
export async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncIterable<RowsRead> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let line = 0;
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() as string;
    if (rest.length > LINE_LENGTH_MAX) throw tooLong(line + lines.length + 1);
    for (let from = 0; from < lines.length; from += ROWS_PER_BATCH) {
      const batch = parseLines(lines.slice(from, from + ROWS_PER_BATCH), line + from + 1);
      if (batch !== null) yield batch;
    }
    line += lines.length;
  }
  const last = parseLines([rest + decoder.end()], line + 1);
  if (last !== null) yield last;
}

function parseLines(lines: readonly string[], firstNumber: number): RowsRead | null {
  const rows: Record<string, unknown>[] = [];
  const numbers: number[] = [];
  const rejects: RowReject[] = [];
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const number = firstNumber + i;
    try {
      rows.push(JSON.parse(line));
      numbers.push(number);
    } catch (thrown) {
      if (!(thrown instanceof SyntaxError)) throw thrown;
      rejects.push({
        index: number,
        code: 'ROW_UNDECODABLE',
        reason: `not JSON: ${thrown.message}`,
      });
    }
  }
  return rows.length + rejects.length === 0 ? null : { rows, numbers, rejects };
}

function tooLong(line: number): FreshetError {
  return new FreshetError(
    'ROW_TOO_LARGE',
    `line ${line} has more than ${LINE_LENGTH_MAX} characters`,
    { where: { line } },
  );
}
