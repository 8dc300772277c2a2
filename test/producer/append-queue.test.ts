import { describe, expect, it } from 'vitest';
import type { ProducedRecord } from '../../src/log/index.ts';
import { AppendQueue } from '../../src/producer/append-queue.ts';
import { AppendedLog, settled } from './support.ts';

function recordsOf(...names: string[]): ProducedRecord[] {
  return names.map((name) => ({ topic: 't', key: null, value: Buffer.from(name) }));
}

function namesOf(records: readonly ProducedRecord[]): string {
  return records.map(({ value }) => Buffer.from(value!).toString()).join('');
}

describe('the append queue', () => {
  const bounds = { recordsMax: 4, bytesMax: 100 };

  it('appends one batch at a time and puts together what waits', async () => {
    const log = new AppendedLog();
    const queue = new AppendQueue(log.log, bounds);
    log.hold();
    const added = ['a', 'b', 'c'].map((name) => queue.add(recordsOf(name), 1));
    await settled();
    expect(log.appends.map(namesOf)).toEqual(['a']);
    log.release();
    await settled();
    expect(log.appends.map(namesOf)).toEqual(['a', 'bc']);
    log.release();
    await Promise.all(added);
    expect(queue.records).toBe(0);
  });

  it.each([
    ['records', { recordsMax: 2, bytesMax: 100 }],
    ['bytes', { recordsMax: 100, bytesMax: 10 }],
  ])('makes callers wait beyond the bound of %s, in their order', async (_, tight) => {
    const log = new AppendedLog();
    const queue = new AppendQueue(log.log, tight);
    log.hold();
    const added = ['a', 'b', 'c', 'd'].map((name) => queue.add(recordsOf(name), 5));
    await settled();
    expect(queue.records).toBe(2);
    for (let i = 0; i < 4; i++) {
      log.release();
      await settled();
    }
    await Promise.all(added);
    expect(namesOf(log.records)).toBe('abcd');
  });

  it('lets a batch larger than the bounds go alone', async () => {
    const log = new AppendedLog();
    const queue = new AppendQueue(log.log, bounds);
    await queue.add(recordsOf('a', 'b', 'c', 'd', 'e', 'f'), 1_000);
    expect(namesOf(log.records)).toBe('abcdef');
  });

  it('tells those whose records failed, and goes on', async () => {
    const log = new AppendedLog();
    const queue = new AppendQueue(log.log, bounds);
    log.failure = new Error('no disk');
    await expect(queue.add(recordsOf('a'), 1)).rejects.toThrow('no disk');
    log.failure = null;
    await queue.add(recordsOf('b'), 1);
    await queue.drain();
    expect(queue.records).toBe(0);
  });

  it('drains what is under way, and at once when nothing is', async () => {
    const log = new AppendedLog();
    const queue = new AppendQueue(log.log, bounds);
    await queue.drain();
    log.hold();
    const added = queue.add(recordsOf('a'), 1);
    let isDrained = false;
    const drained = queue.drain().then(() => {
      isDrained = true;
    });
    await settled();
    expect(isDrained).toBe(false);
    log.release();
    await Promise.all([added, drained]);
    expect(isDrained).toBe(true);
  });
});
