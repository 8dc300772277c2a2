import { describe, expect, it } from 'vitest';
import { type LogFormat, logEngine } from '../../src/cli/engine-log.ts';
import { ManualClock } from '../../src/core/clock.ts';
import { channels } from '../../src/telemetry/index.ts';
import { CapturedStream } from './support.ts';

const SEGMENT = { topic: 'flights', partition: 2, startOffset: 10, endOffset: 30, rows: 19 };

describe("the engine's log", () => {
  it('is text for people, with the time of day in UTC', () => {
    expect(logged('text', () => channels.segment.publish(SEGMENT))).toBe(
      '12:34:56 segment published  topic=flights partition=2 startOffset=10 endOffset=30 rows=19\n',
    );
  });

  it('is one JSON object a line for programs, warnings above the rest', () => {
    const text = logged('json', () => {
      channels.segment.publish(SEGMENT);
      channels.gap.publish({ topic: 'flights', partition: 0, fromOffset: 1, toOffset: 5 });
    });
    const [segment, gap] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(segment).toMatchObject({ ...SEGMENT, level: 30, msg: 'segment published' });
    expect(gap).toMatchObject({ level: 40, fromOffset: 1, toOffset: 5 });
  });

  it('warns when traces are not delivered', () => {
    const failure = { collector: 'http://127.0.0.1:4318', reason: 'Unauthorized' };
    const text = logged('json', () => channels.tracingFailed.publish(failure));
    expect(JSON.parse(text)).toMatchObject({ ...failure, level: 40 });
  });

  it('ends when it is told to', () => {
    const text = logged('text', (stop) => {
      stop();
      channels.segment.publish(SEGMENT);
    });
    expect(text).toBe('');
  });
});

function logged(format: LogFormat, happen: (stop: () => void) => void): string {
  const stream = new CapturedStream();
  const stop = logEngine(format, stream, new ManualClock(Date.UTC(2026, 0, 1, 12, 34, 56)));
  try {
    happen(stop);
  } finally {
    stop();
  }
  return stream.text;
}
