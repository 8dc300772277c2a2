/**
 * The Kafka log against kafkajs's own consumer and producer, on one broker: a million records of 200
 * bytes with a key, in 8 partitions. Each cell is a fresh process, ours and theirs take turns, and
 * what counts is the time of the processor that the client takes, since the broker sits beside it.
 *
 *     npx tsx benchmarks/kafka-log.ts [rounds, default 3]
 *
 * The broker is the one of KAFKA_BROKERS, else one that is started for it.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { openKafkaLog } from '../connectors/kafka/index.ts';
import { startDevKafka } from '../connectors/kafka-dev/index.ts';
import type { Log } from '../src/log/index.ts';

const RECORDS = 1_000_000;
const PRODUCED = 200_000;
const PARTITIONS = 8;
const VALUE_BYTES = 200;
const PER_APPEND = 1_000;
const LATENCY_RECORDS = 5_000;
/** Of the latencies, those before the code is warm. */
const WARM_UP = 1_000;
const LATENCY_P99_MS_MAX = 20;
const READ_RATIO_MAX = 1;

interface Cell {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rssMb: number;
}

async function compare(rounds: number): Promise<void> {
  const own = process.env['KAFKA_BROKERS'] ? null : await startDevKafka({ heapMb: 1_024 });
  const broker = own?.broker ?? (process.env['KAFKA_BROKERS'] as string);
  const topic = `freshet-bench-${process.pid}`;
  const log = await openKafkaLog({ brokers: broker.split(',') });
  try {
    for (const compression of ['none', 'lz4'] as const) {
      const filled = `${topic}-${compression}`;
      await log.createTopic({ topic: filled, partitions: PARTITIONS });
      await using filling = await openKafkaLog({ brokers: broker.split(','), compression });
      await fill(filling, filled, RECORDS);
      if (compression === 'none') turns('read', ['ours', 'theirs'], rounds, broker, filled);
      else turns('read lz4', ['ours'], rounds, broker, filled);
      await log.deleteTopic(filled);
    }
    await log.createTopic({ topic: `${topic}-produced`, partitions: PARTITIONS });
    turns('produce', ['ours', 'theirs'], rounds, broker, `${topic}-produced`);
    await log.deleteTopic(`${topic}-produced`);
    await latency(log, `${topic}-latency`);
  } finally {
    await log.close();
    await own?.stop();
  }
}

function turns(
  what: string,
  sides: readonly string[],
  rounds: number,
  broker: string,
  topic: string,
): void {
  const cells = new Map<string, Cell[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      const args = ['cell', `${side} ${what.split(' ')[0]}`, broker, topic];
      const program = fileURLToPath(import.meta.url);
      const output = execFileSync(process.execPath, [...process.execArgv, program, ...args]);
      cells.get(side)?.push(JSON.parse(output.toString()));
    }
  }
  const records = what === 'produce' ? PRODUCED : RECORDS;
  for (const [side, list] of cells) {
    const { cpuMs, wallMs, rssMb } = median(list);
    const perSecond = Math.round(records / wallMs);
    console.log(
      `${what}, ${side}: ${cpuMs} ms of processor, ${wallMs} ms, ` +
        `${perSecond} thousand records/s, ${rssMb} MB`,
    );
  }
  const [ours, theirs] = ['ours', 'theirs'].map((side) => cells.get(side));
  if (!ours || !theirs) return;
  const ratio = median(ours).cpuMs / median(theirs).cpuMs;
  console.log(`${what}: ${ratio.toFixed(2)} of kafkajs's processor time`);
  if (what === 'read' && ratio > READ_RATIO_MAX) fail(`it may be ${READ_RATIO_MAX}`);
}

function median(cells: readonly Cell[]): Cell {
  return cells.toSorted((a, b) => a.cpuMs - b.cpuMs)[Math.floor(cells.length / 2)] as Cell;
}

async function runCell(what: string, broker: string, topic: string): Promise<void> {
  const run = CELLS[what];
  if (run === undefined) throw new Error(`there is no cell "${what}"`);
  const brokers = broker.split(',');
  const start = process.cpuUsage();
  const startMs = performance.now();
  await run(brokers, topic);
  const { user, system } = process.cpuUsage(start);
  const cell: Cell = {
    cpuMs: Math.round((user + system) / 1_000),
    wallMs: Math.round(performance.now() - startMs),
    rssMb: Math.round(process.resourceUsage().maxRSS / 1_024),
  };
  console.log(JSON.stringify(cell));
  process.exit(0);
}

const CELLS: Readonly<Record<string, (brokers: string[], topic: string) => Promise<void>>> = {
  'ours read': async (brokers, topic) => {
    const log = await openKafkaLog({ brokers });
    const tps = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
    const reader = await log.assign(tps.map((tp) => ({ ...tp, offset: 0 })));
    for (let read = 0; read < RECORDS; ) {
      for (const { count } of await reader.poll({ waitMs: 10_000 })) read += count;
    }
    await log.close();
  },

  'theirs read': async (brokers, topic) => {
    const consumer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).consumer({
      groupId: `${topic}-${process.pid}`,
      maxWaitTimeInMs: 250,
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve) => {
      let read = 0;
      consumer
        .run({
          autoCommit: false,
          partitionsConsumedConcurrently: PARTITIONS,
          eachBatch: async ({ batch }) => {
            read += batch.messages.length;
            if (read >= RECORDS) resolve();
          },
        })
        .catch(fail);
    });
  },

  'ours produce': async (brokers, topic) => {
    const log = await openKafkaLog({ brokers });
    await fill(log, topic, PRODUCED);
    await log.close();
  },

  'theirs produce': async (brokers, topic) => {
    const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    const value = Buffer.alloc(VALUE_BYTES, 'v');
    for (let sent = 0; sent < PRODUCED; sent += PER_APPEND) {
      const messages = Array.from({ length: PER_APPEND }, (_, i) => ({
        key: `key-${sent + i}`,
        value,
      }));
      await producer.send({ topic, messages, acks: -1, compression: CompressionTypes.None });
    }
    await producer.disconnect();
  },
};

async function fill(log: Log, topic: string, count: number): Promise<void> {
  const value = Buffer.alloc(VALUE_BYTES, 'v');
  for (let sent = 0; sent < count; sent += PER_APPEND) {
    await log.append(
      Array.from({ length: PER_APPEND }, (_, i) => ({
        topic,
        key: Buffer.from(`key-${sent + i}`),
        value,
      })),
    );
  }
}

/** From before the append until a reader that waits has the record; one after the other. */
async function latency(log: Log, topic: string): Promise<void> {
  await log.createTopic({ topic, partitions: PARTITIONS });
  const tps = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  await using reader = await log.assign(tps.map((tp) => ({ ...tp, offset: 0 })));
  const took: number[] = [];
  for (let i = 0; i < LATENCY_RECORDS; i++) {
    const startMs = performance.now();
    const appended = log.append([{ topic, key: Buffer.from(String(i)), value: Buffer.alloc(200) }]);
    for (let read = 0; read < 1; ) {
      for (const { count } of await reader.poll({ waitMs: 10_000 })) read += count;
    }
    took.push(performance.now() - startMs);
    await appended;
  }
  const sorted = took.slice(WARM_UP).sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(sorted.length * part)] as number;
  console.log(`append to poll: p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms`);
  if (at(0.99) > LATENCY_P99_MS_MAX) fail(`p99 may be ${LATENCY_P99_MS_MAX} ms`);
  await log.deleteTopic(topic);
}

function fail(why: unknown): void {
  console.error(`FAILED: ${why}`);
  process.exitCode = 1;
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'cell') await runCell(rest[0] as string, rest[1] as string, rest[2] as string);
else await compare(Number(first ?? 3));
