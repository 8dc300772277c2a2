import { describe, expect, it } from 'vitest';
import { createRowDecoder, type DecodedBatch } from '../../src/codec/index.ts';
import { topicSource } from '../../src/definition/index.ts';
import { logBatch, rowObjects } from './helpers.ts';

const source = topicSource({
  name: 'rides',
  topic: 'rides',
  format: 'json',
  schema: {
    at: 'timestamp',
    made: 'timestamp',
    city: 'string',
    n: 'int64',
    f: 'float32',
    raw: 'bytes',
    constructor: 'int32',
  },
  timestampField: 'at',
});
const decoder = createRowDecoder({ source, requiredFields: ['city'] });

function decode(text: string): DecodedBatch {
  return decoder.decode(logBatch([Buffer.from(text)])) as DecodedBatch;
}

describe('a JSON decoder', () => {
  it('reads a row with an int64 as text, an ISO instant and base64', () => {
    const { rows } = decode(
      '{"at":"2025-01-01T00:00:00.5Z","city":"Rome","n":"9007199254740993","f":0.1,"raw":"AQI=","other":1}',
    );
    expect(rowObjects(rows)).toEqual([
      {
        at: 1735689600500000,
        made: null,
        city: 'Rome',
        n: 9007199254740993n,
        f: Math.fround(0.1),
        raw: Buffer.from([1, 2]),
        constructor: null,
      },
    ]);
  });

  const bad: readonly [string, string][] = [
    ['ROW_UNDECODABLE', '{"at":'],
    ['ROW_UNDECODABLE', '[1]'],
    ['ROW_UNDECODABLE', 'null'],
    ['ROW_KEY_NULL', '{"at":5}'],
    ['ROW_TIME_NULL', '{"city":"a"}'],
    ['ROW_TIME_ABSURD', '{"city":"a","at":"9999-12-31T00:00:00Z"}'],
    ['ROW_TIME_ABSURD', '{"city":"a","at":1e300}'],
    ['ROW_TIME_ABSURD', '{"city":"a","at":"2030-01-01T00:00:00Z"}'],
    ['ROW_TYPE', '{"city":"a","at":1.5}'],
    ['ROW_TYPE', '{"city":"a","at":5,"made":"9999-12-31T00:00:00Z"}'],
    ['ROW_TYPE', '{"city":7,"at":5}'],
    ['ROW_TYPE', '{"city":"a","at":5,"n":9007199254740993}'],
  ];
  it.each(bad)('answers %s for %s', (code, text) => {
    const { rows, rejects } = decode(text);
    expect([rows.count, rejects.map((reject) => reject.code)]).toEqual([0, [code]]);
  });

  it('names the field of a wrong type', () => {
    expect(decode('{"city":7,"at":5}').rejects[0]!.reason).toBe('field "city": 7 is not a string');
  });
});
