import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startDevKafka } from '../../connectors/kafka-dev/index.ts';
import { FreshetError } from '../../src/index.ts';
import type { CellResult } from './measure.ts';
import { count, row } from './report.ts';
import { freshetSide, medianOf, pythonSide, requireSame } from './run-cells.ts';
import { fillTopic, STREAM_ROWS, STREAM_TOPIC } from './stream-cell.ts';

const BROKER_HEAP_MB = 768;

/** Quix Streams with its state in RocksDB, on the same topic of a broker on this machine. */
export async function compareWithQuix(
  folder: string,
  python: string,
  rounds: number,
): Promise<void> {
  const kafka = await startDevKafka({ heapMb: BROKER_HEAP_MB }).catch(skip);
  if (kafka === null) return;
  try {
    await fillTopic(kafka.broker, join(folder, 'fill'));
    const quix = pythonSide(python, 'quix_peer.py');
    const ours: CellResult[] = [];
    const theirs: CellResult[] = [];
    for (let round = 0; round < rounds; round++) {
      const [own, state] = ['freshet', 'quix'].map((side) => join(folder, `${side}-${round}`));
      mkdirSync(state as string, { recursive: true });
      ours.push(await freshetSide()(['stream-cell', own as string, kafka.broker]));
      theirs.push(await quix([state as string, kafka.broker, STREAM_TOPIC, String(STREAM_ROWS)]));
    }
    report(medianOf(ours), medianOf(theirs));
  } finally {
    await kafka.stop();
  }
}

function report(ours: CellResult, theirs: CellResult): void {
  requireSame('the windows', ours.answer, theirs.answer);
  const rate = ({ seconds, rssMb }: CellResult): string =>
    `${count(STREAM_ROWS / (seconds ?? 0))} rows/s, ${rssMb} MB`;
  console.log(`\nBeside Quix Streams: ${count(STREAM_ROWS)} JSON rows from Kafka, 4 partitions`);
  row('', 'Freshet', 'Quix Streams');
  row('count, mean of each hour', rate(ours), rate(theirs));
  row('windows closed', count(ours.answer[0] ?? 0), count(theirs.answer[0] ?? 0));
}

function skip(thrown: unknown): null {
  if (!(thrown instanceof FreshetError)) throw thrown;
  console.log(`skipped Quix Streams: ${thrown.message}`);
  return null;
}
