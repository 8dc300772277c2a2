import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedLog } from '../../connectors/embedded/index.ts';
import { batchKey } from '../../connectors/embedded/log-keys.ts';
import { ManualClock } from '../../src/core/clock.ts';
import { KvBatch, openKvStore } from '../../src/kv/index.ts';
import type { Log } from '../../src/log/index.ts';
import { bytes, readAll, records, recordsOf, take, valuesOf } from '../contract/log-support.ts';

describe('the embedded log', () => {
  let path: string;
  let clock: ManualClock;
  let log: Log;

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'freshet-log-'));
    clock = new ManualClock(1_700_000_000_000);
    log = await openEmbeddedLog({ path, clock });
  });

  afterEach(async () => {
    await log.close();
    await rm(path, { recursive: true, force: true });
  });

  const reopen = async (): Promise<void> => {
    await log.close();
    log = await openEmbeddedLog({ path, clock });
  };

  it('keeps topics, records, starts and positions when it is opened again', async () => {
    await log.createTopic({ topic: 'a', partitions: 2, retentionMs: 5_000_000 });
    await log.createTopic({ topic: 'gone', partitions: 1 });
    await log.deleteTopic('gone');
    const sent = [0, 1, 1, 1].map((partition, i) => ({
      topic: 'a',
      partition,
      key: bytes(`k${i}`),
      value: i === 2 ? null : bytes(`v${i}`),
      headers: [['h', bytes(String(i))]] as const,
    }));
    await log.append(sent);
    await log.deleteRecordsBefore({ topic: 'a', partition: 1 }, 1);
    await log.commitOffsets('g', [{ topic: 'a', partition: 1, offset: 2 }]);
    const described = await log.describeTopic('a');
    const before = recordsOf(await readAll(log, 'a'));

    await reopen();
    expect(await log.listTopics()).toEqual(['a']);
    expect(await log.describeTopic('a')).toEqual(described);
    expect(recordsOf(await readAll(log, 'a'))).toEqual(before);
    expect(before).toHaveLength(3);
    const tps = [0, 1].map((partition) => ({ topic: 'a', partition }));
    expect((await log.watermarks(tps)).map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [1, 3],
    ]);
    expect(await log.committedOffsets('g', tps)).toEqual([null, 2]);
    expect(await log.append([sent[1]!])).toEqual([{ topic: 'a', partition: 1, offset: 3 }]);
    await log.createTopic({ topic: 'gone', partitions: 1 });
    expect((await log.describeTopic('gone')).topicId).not.toBe(described.topicId);
  });

  it("never gives a record an earlier time than the last, though the machine's clock goes back", async () => {
    await log.createTopic({ topic: 'a', partitions: 1 });
    await log.append(records('a', 'x'));
    clock.advance(-60_000);
    await log.append(records('a', 'y'));
    await reopen();
    await log.append(records('a', 'z'));
    clock.advance(70_000);
    await log.append(records('a', 'now'));
    expect(recordsOf(await readAll(log, 'a')).map(({ timestampMs }) => timestampMs)).toEqual([
      1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_000, 1_700_000_010_000,
    ]);
  });

  it('shows an append over several partitions as a whole', async () => {
    await log.createTopic({ topic: 'a', partitions: 3, timestampType: 'CreateTime' });
    const tps = [0, 1, 2].map((partition) => ({ topic: 'a', partition }));
    let done = false;
    const appending = (async () => {
      for (let i = 0; i < 60; i++) {
        await log.append(tps.map((tp) => ({ ...tp, key: null, value: bytes(String(i)) })));
      }
      done = true;
    })();
    while (!done) {
      const ends = (await log.watermarks(tps)).map(({ end }) => end);
      expect(new Set(ends).size).toBe(1);
      await new Promise(setImmediate);
    }
    await appending;
  });

  it('keeps a large append in several batches and reads from the middle of any', async () => {
    await log.createTopic({ topic: 'a', partitions: 1, timestampType: 'CreateTime' });
    const value = (i: number) => bytes(`${i}`.padEnd(1_000, '.'));
    await log.append(
      Array.from({ length: 500 }, (_, i) => ({ topic: 'a', key: null, value: value(i) })),
    );
    for (const offset of [0, 1, 127, 128, 250, 499]) {
      await using reader = await log.assign([{ topic: 'a', partition: 0, offset }]);
      const [batch] = await take(reader, 1, { maxRecords: 3 });
      expect(parseInt(valuesOf([batch!])[0] as string, 10)).toBe(offset);
    }
    await reopen();
    expect(await readAll(log, 'a').then((batches) => recordsOf(batches).length)).toBe(500);
  });

  it('refuses a second process, and says where', async () => {
    await expect(openEmbeddedLog({ path })).rejects.toMatchObject({
      code: 'LOG_LOCKED',
      retriable: true,
      where: { file: path },
    });
    await log.createTopic({ topic: 'a', partitions: 1 });
  });

  it('is read beside its writer as it was when it was opened, and not written', async () => {
    await log.createTopic({ topic: 'a', partitions: 1, timestampType: 'CreateTime' });
    await log.append(records('a', 'x'));
    await using reader = await openEmbeddedLog({ path, clock, readOnly: true });
    await log.append(records('a', 'y'));
    expect(valuesOf(await readAll(reader, 'a'))).toEqual(['x']);
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('read-only') };
    await expect(reader.append(records('a', 'z'))).rejects.toMatchObject(refused);
    await expect(reader.createTopic({ topic: 'b', partitions: 1 })).rejects.toMatchObject(refused);
    await expect(reader.deleteTopic('a')).rejects.toMatchObject(refused);
    await expect(
      reader.commitOffsets('g', [{ topic: 'a', partition: 0, offset: 0 }]),
    ).rejects.toMatchObject(refused);
    const nowhere = openEmbeddedLog({ path: join(path, 'nowhere'), readOnly: true });
    await expect(nowhere).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
  });

  it.each<[string, (stored: Uint8Array) => Uint8Array]>([
    ['a bit is flipped', (stored) => stored.map((byte, i) => (i === 30 ? byte ^ 1 : byte))],
    ['its end is missing', (stored) => stored.subarray(0, stored.length - 1)],
    ['it is almost empty', (stored) => stored.subarray(0, 3)],
  ])('names the partition and offset of a batch when %s', async (_, damage) => {
    await log.createTopic({ topic: 'a', partitions: 1, timestampType: 'CreateTime' });
    await log.append(records('a', 'x', 'y'));
    await log.append(records('a', 'z'));
    await log.close();
    const kv = await openKvStore({ path });
    const key = batchKey(1, 0, 2);
    await kv.write(new KvBatch().put(key, damage((await kv.get(key)) as Uint8Array)));
    await kv.close();
    log = await openEmbeddedLog({ path, clock });

    await using reader = await log.assign([{ topic: 'a', partition: 0, offset: 0 }]);
    expect(valuesOf(await take(reader, 2, { maxRecords: 2 }))).toEqual(['x', 'y']);
    await expect(reader.poll()).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      where: { topic: 'a', partition: 0, offset: 2 },
    });
  });

  it('says that a record is missing when its batch is gone', async () => {
    await log.createTopic({ topic: 'a', partitions: 1 });
    await log.append(records('a', 'x'));
    await log.close();
    const kv = await openKvStore({ path });
    await kv.write(new KvBatch().delete(batchKey(1, 0, 0)));
    await kv.close();
    log = await openEmbeddedLog({ path, clock });
    await using reader = await log.assign([{ topic: 'a', partition: 0, offset: 0 }]);
    await expect(reader.poll()).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  });
});
