import type { Schema } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import type { FeatureProducer, InputRow, RowReject } from './feature-producer.ts';
import type { RowReader, RowsRead } from './row-reader.ts';

export interface ProduceRowsOptions {
  readonly producer: FeatureProducer<Schema>;
  readonly reader: RowReader;
  /** Called after each batch that the log has confirmed. */
  readonly onProgress?: (progress: ProduceProgress) => void;
  /**
   * Stop at the first refused row instead of going on without it; of the batch it is in, nothing
   * is sent, and nothing behind it. Default false.
   */
  readonly strict?: boolean;
  /** Stops between batches. */
  readonly signal?: AbortSignal;
}

export interface ProduceProgress {
  readonly rowsSent: number;
  readonly rowsRejected: number;
  /** Null where it is known only at the end. */
  readonly rowsTotal: number | null;
  /** The first refused rows, by their number in the input. */
  readonly rejects: readonly RowReject[];
}

/** Refused rows that are named; the rest are counted. */
const REJECTS_NAMED = 100;
/** Batches that may wait for the log while the next is read. */
const SENDS_UNDER_WAY = 4;

/**
 * Sends all rows of a file to the topic of the producer.
 * @throws FreshetError as `FeatureProducer.send` and `readRows`; with `strict` for the first
 *   refused row, naming its number
 */
export async function produceRows(options: ProduceRowsOptions): Promise<ProduceProgress> {
  const { producer, reader, onProgress, signal } = options;
  const rejects: RowReject[] = [];
  let rowsSent = 0;
  let rowsRejected = 0;
  const progress = (): ProduceProgress => ({
    rowsSent,
    rowsRejected,
    rowsTotal: reader.rowsTotal,
    rejects,
  });
  const sends: Promise<Sent>[] = [];
  let failed = false;
  const finishOldest = async (): Promise<void> => {
    const sent = await (sends.shift() as Promise<Sent>);
    if ('failure' in sent) throw sent.failure;
    rowsSent += sent.rows;
    rowsRejected += sent.rejects.length;
    rejects.push(...sent.rejects.slice(0, REJECTS_NAMED - rejects.length));
    onProgress?.(progress());
  };
  for await (const batch of reader.batches) {
    signal?.throwIfAborted();
    if (failed) break; // nothing behind it is sent; its turn comes below
    if (options.strict === true) requireNone(batch.rejects);
    sends.push(
      sendBatch(producer, batch, options.strict === true, () => {
        failed = true;
      }),
    );
    if (sends.length >= SENDS_UNDER_WAY) await finishOldest();
  }
  while (sends.length > 0) await finishOldest();
  return progress();
}

/** A failure is kept until its turn, so that none goes unheard while an earlier batch is waited for. */
type Sent =
  | { readonly rows: number; readonly rejects: readonly RowReject[] }
  | { readonly failure: unknown };

async function sendBatch(
  producer: FeatureProducer<Schema>,
  batch: RowsRead,
  strict: boolean,
  onFailure: () => void,
): Promise<Sent> {
  try {
    const rows = batch.rows as readonly InputRow<Schema>[];
    const result = await producer.send(rows, { strict });
    const rejects = [...batch.rejects, ...result.rejects.map((reject) => numbered(reject, batch))];
    return { rows: result.sent, rejects };
  } catch (thrown) {
    onFailure();
    return { failure: inFile(thrown, batch) };
  }
}

/** A strict refusal names the row's place among those sent; here its number in the file. */
function inFile(thrown: unknown, { numbers }: RowsRead): unknown {
  if (!(thrown instanceof FreshetError) || thrown.where.row === undefined) return thrown;
  const row = numbers[thrown.where.row] as number;
  const what = thrown.message.replace(/^row \d+/, `row ${row}`);
  return new FreshetError(thrown.code, what, { where: { ...thrown.where, row }, cause: thrown });
}

function numbered(reject: RowReject, batch: RowsRead): RowReject {
  return { ...reject, index: batch.numbers[reject.index] as number };
}

function requireNone(rejects: readonly RowReject[]): void {
  const [first] = rejects;
  if (first === undefined) return;
  throw new FreshetError(first.code, `row ${first.index}: ${first.reason}`, {
    where: { row: first.index },
  });
}
