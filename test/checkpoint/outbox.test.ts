import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  appendedSequences,
  decodeOutboxRecord,
  encodeOutboxRecord,
  numberedRecord,
  type OutboxRecord,
  SEQUENCE_HEADER,
} from '../../src/checkpoint/outbox.ts';
import { DEAD_LETTERS, openTestLog, readAll } from './support.ts';

const SOURCE = { topic: 'flights', partition: 2 };
const TARGET = { topic: DEAD_LETTERS, partition: 0 };

const record = (some: Partial<OutboxRecord> = {}): OutboxRecord => ({
  ...TARGET,
  key: Buffer.from('k'),
  value: Buffer.from('v'),
  headers: [],
  ...some,
});

describe('an outbox record', () => {
  it('has bytes that never change', () => {
    const bytes = encodeOutboxRecord(record({ key: null, headers: [['why', Buffer.from('no')]] }));
    const head =
      '{"topic":"dead-letters","partition":0,"keyLength":-1,"valueLength":1,"headers":[["why","bm8="]]}';
    expect(Buffer.from(bytes).toString('latin1')).toBe(`\0\0\0${String.fromCharCode(96)}${head}v`);
  });

  it('comes back as it was, with nulls, empty bytes and repeated headers', () => {
    const bytes = fc.uint8Array({ maxLength: 20 });
    const maybe = fc.option(bytes);
    const headers = fc.array(fc.tuple(fc.string(), bytes), { maxLength: 4 });
    fc.assert(
      fc.property(maybe, maybe, headers, fc.nat(9), (key, value, headers, partition) => {
        const decoded = decodeOutboxRecord(
          encodeOutboxRecord(record({ key, value, headers, partition })),
        );
        const plain = (of: Uint8Array | null) => of && [...of];
        expect(plain(decoded.key)).toEqual(plain(key));
        expect(plain(decoded.value)).toEqual(plain(value));
        expect(decoded.headers.map(([name, of]) => [name, plain(of)])).toEqual(
          headers.map(([name, of]) => [name, plain(of)]),
        );
        expect(decoded).toMatchObject({ topic: DEAD_LETTERS, partition });
      }),
    );
  });

  it('that was cut, or goes on, is STORE_CORRUPT', () => {
    const bytes = encodeOutboxRecord(record());
    for (const wrong of [
      bytes.subarray(0, 2),
      bytes.subarray(0, 20),
      bytes.subarray(0, bytes.length - 1),
      Buffer.concat([bytes, Buffer.from('x')]),
    ]) {
      expect(() => decodeOutboxRecord(wrong)).toThrowError(
        expect.objectContaining({ code: 'STORE_CORRUPT' }),
      );
    }
  });

  it('goes to its topic with its source and number behind its own headers', () => {
    const { headers, ...rest } = numberedRecord(
      record({ headers: [['a', Buffer.from('1')]] }),
      SOURCE,
      7,
    );
    expect(rest).toMatchObject(TARGET);
    expect(headers?.map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
      ['a', '1'],
      [SEQUENCE_HEADER, 'flights-2:7'],
    ]);
  });
});

describe('the numbers that a topic holds', () => {
  it('are those of the source, from an offset on', async () => {
    await using log = await openTestLog();
    const other = { topic: 'flights', partition: 22 };
    for (const [source, number] of [
      [SOURCE, 0],
      [other, 5],
      [SOURCE, 1],
      [SOURCE, 2],
    ] as const) {
      await log.append([numberedRecord(record(), source, number)]);
    }
    await log.append([{ ...record(), headers: [] }]);
    const found = async (from: number) => [...(await appendedSequences(log, TARGET, from, SOURCE))];
    expect(await found(0)).toEqual([0, 1, 2]);
    expect(await found(1)).toEqual([1, 2]);
    expect(await found(5)).toEqual([]);
    expect(await found(99)).toEqual([]);
    await log.deleteRecordsBefore(TARGET, 3);
    expect(await found(0)).toEqual([2]);
  });

  it('leave out the number that a record brought from an earlier life', async () => {
    await using log = await openTestLog();
    const again = record({ headers: [[SEQUENCE_HEADER, Buffer.from('flights-2:40')]] });
    await log.append([numberedRecord(again, SOURCE, 1)]);
    expect([...(await appendedSequences(log, TARGET, 0, SOURCE))]).toEqual([1]);
    expect(await readAll(log, TARGET)).toHaveLength(1);
  });
});
