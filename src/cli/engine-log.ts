/** What the engine tells (`telemetry/channels.ts`) as log lines: JSON for programs, text for people. */
import type { Channel } from 'node:diagnostics_channel';
import { type Logger, pino } from 'pino';
import type { Clock } from '../core/clock.ts';
import { channels } from '../telemetry/index.ts';

export type LogFormat = 'json' | 'text';

export type Log = Pick<Logger, 'info' | 'warn' | 'error'>;

export function createLog(format: LogFormat, stream: NodeJS.WritableStream, clock: Clock): Log {
  return format === 'json' ? pino({ level: 'info' }, stream) : textLogger(stream, clock);
}

/** Logs until the returned function is called. Rows' contents are never logged. */
export function logEngine(
  format: LogFormat,
  stream: NodeJS.WritableStream,
  clock: Clock,
): () => void {
  const log = createLog(format, stream, clock);
  const unsubscribe = [
    on(channels.assigned, (event) => log.info(event, 'partition assigned')),
    on(channels.revoked, (event) => log.info(event, 'partition revoked')),
    on(channels.segment, (event) => log.info(event, 'segment published')),
    on(channels.idle, (event) =>
      log.info(event, event.idle ? 'partition idle' : 'partition active'),
    ),
    on(channels.compacted, (event) => log.info(event, 'segments compacted')),
    on(channels.dropped, (event) => log.info(event, 'history dropped by retention')),
    on(channels.maintenanceFailed, (event) => log.error(event, 'history was not maintained')),
    on(channels.swept, (event) => log.info(event, 'files of an interrupted cut removed')),
    on(channels.gap, (event) => log.warn(event, 'records were removed before they were read')),
    on(channels.tracingFailed, (event) => log.warn(event, 'traces are not delivered')),
    on(channels.retry, (event) => log.warn(event, 'trying again')),
  ];
  return () => {
    for (const stop of unsubscribe) stop();
  };
}

function on<T>(channel: Channel<unknown, T>, listener: (event: T) => void): () => void {
  const handle = (event: unknown): void => listener(event as T);
  channel.subscribe(handle);
  return () => void channel.unsubscribe(handle);
}

/** `12:00:01 segment published  topic=flights partition=0 …` */
function textLogger(stream: NodeJS.WritableStream, clock: Clock): Log {
  const write = (event: object, what: string): void => {
    const time = new Date(clock.nowMs()).toISOString().slice(11, 19);
    const fields = Object.entries(event).map(([name, value]) => `${name}=${String(value)}`);
    stream.write(`${time} ${what}  ${fields.join(' ')}\n`);
  };
  return { info: write, warn: write, error: write } as never;
}
