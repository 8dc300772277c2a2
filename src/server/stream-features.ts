import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { FreshetError } from '../errors.ts';
import { toHttpError } from './http-error.ts';
import type { ServerPorts } from './server-ports.ts';

type Request = (
  | { readonly features: readonly string[]; readonly service?: never }
  | { readonly service: string; readonly features?: never }
) & { readonly fullFeatureNames: boolean };

interface LineLimits {
  /** Bytes of a line, at most. */
  readonly lineBytesMax: number;
  /** Entity rows that are read at once, at most. */
  readonly rowsMax: number;
}

/** Entity rows of one read: enough to spread its cost, few enough to come soon. */
const ROWS_AT_ONCE = 512;

/**
 * Reads features for the entity rows of an NDJSON stream, as they come; answers a line for each, in
 * their order. What is in memory is one read. The status is sent before the first line, so an error
 * is the last line: `{"error":{…}}`.
 */
export async function* streamFeatures(
  read: ServerPorts['read'],
  request: Request,
  body: Readable,
  limits: LineLimits,
): AsyncGenerator<string> {
  const rowsMax = Math.min(ROWS_AT_ONCE, limits.rowsMax);
  let rows: Record<string, unknown>[] = [];
  let firstLine = 1;
  try {
    for await (const lines of linesOf(body, limits.lineBytesMax)) {
      for (const line of lines) {
        rows.push(parseRow(line, firstLine + rows.length));
        if (rows.length < rowsMax) continue;
        yield await answerLines(read, request, rows);
        firstLine += rows.length;
        rows = [];
      }
      // What came is answered before more is waited for: a client may wait for it, too.
      if (rows.length === 0) continue;
      yield await answerLines(read, request, rows);
      firstLine += rows.length;
      rows = [];
    }
  } catch (thrown) {
    yield `${JSON.stringify({ error: toHttpError(thrown).body })}\n`;
  }
}

async function answerLines(
  read: ServerPorts['read'],
  request: Request,
  entityRows: readonly Record<string, unknown>[],
): Promise<string> {
  const answer = await read({ ...request, entityRows });
  const { statuses } = answer;
  const rows = answer.toJSON()['rows'] as readonly unknown[];
  return rows.map((row, i) => `${JSON.stringify({ row, statuses: statuses[i] })}\n`).join('');
}

function parseRow(line: string, number: number): Record<string, unknown> {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) {
      return row as Record<string, unknown>;
    }
  } catch (cause) {
    throw new FreshetError('INVALID_ARGUMENT', `line ${number} is not JSON`, {
      where: { line: number },
      cause,
      next: 'Send one JSON object a line.',
    });
  }
  throw new FreshetError('INVALID_ARGUMENT', `line ${number} is not an object`, {
    where: { line: number },
    next: 'Send one JSON object a line.',
  });
}

/** Whole lines that are not empty, as they come. @throws FreshetError REQUEST_TOO_LARGE */
async function* linesOf(body: Readable, lineBytesMax: number): AsyncGenerator<readonly string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const parts = (rest + decoder.write(chunk)).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > lineBytesMax) {
      throw new FreshetError('REQUEST_TOO_LARGE', `a line has more than ${lineBytesMax} bytes`);
    }
    yield parts.filter((line) => line.trim() !== '');
  }
  if (rest.trim() !== '') yield [rest];
}
