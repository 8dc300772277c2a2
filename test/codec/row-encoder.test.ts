import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { avroSchemaOf, createRowDecoder, createRowEncoder } from '../../src/codec/index.ts';
import { topicSource } from '../../src/definition/index.ts';
import { FixedRegistry, framed, logBatch, rowObjects } from './helpers.ts';

const schema = {
  at: 'timestamp',
  i: 'int32',
  l: 'int64',
  f: 'float32',
  d: 'float64',
  s: 'string',
  b: 'bool',
  y: 'bytes',
  j: 'json',
  t: 'timestamp',
  ls: 'int64[]',
  ys: 'bytes[]',
  ss: 'string[]',
} as const;

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const row = fc.record({
  at: fc.integer({ min: -8e15, max: 1.7e15 }),
  i: fc.option(fc.integer()),
  l: fc.option(int64),
  f: fc.option(fc.float()),
  d: fc.option(fc.double({ noNaN: true })),
  s: fc.option(fc.string({ unit: 'binary' })),
  b: fc.option(fc.boolean()),
  y: fc.option(fc.uint8Array()),
  j: fc.option(fc.jsonValue()),
  t: fc.option(fc.integer({ min: -9e15, max: 9e15 })),
  ls: fc.option(fc.array(int64)),
  ys: fc.option(fc.array(fc.uint8Array())),
  ss: fc.option(fc.array(fc.string())),
});

function codecOf(format: 'avro' | 'json') {
  const source = topicSource({
    name: 'every_type',
    topic: 'every',
    schema,
    timestampField: 'at',
    format,
  });
  const registry = new FixedRegistry({ 7: avroSchemaOf(source) });
  return {
    source,
    encoder: createRowEncoder({ source, schemaId: 7 }),
    decoder: createRowDecoder({ source, registry, requiredFields: [] }),
  };
}

describe.each(['avro', 'json'] as const)('an encoder of %s', (format) => {
  const { encoder, decoder } = codecOf(format);

  it('writes what the decoder reads back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), async (rows) => {
        const batch = logBatch(rows.map((each) => encoder.encode(each)));
        const decoded = await decoder.decode(batch);
        expect(decoded.rejects).toEqual([]);
        expect(rowObjects(decoded.rows).map(comparable)).toEqual(rows.map(comparable));
      }),
    );
  });

  it('writes rows of any size without touching those before', async () => {
    const texts = ['a', 'b'.repeat(300_000), 'c', 'd'.repeat(65_530)];
    const batch = logBatch(texts.map((s) => encoder.encode({ at: 0, s })));
    const { rows } = await decoder.decode(batch);
    expect(rowObjects(rows).map((each) => each['s'])).toEqual(texts);
  });

  it('names the field that it refuses', () => {
    expect(() => encoder.encode({ at: 0, i: 1.5 })).toThrow(
      expect.objectContaining({
        code: 'ROW_TYPE',
        message: 'field "i" is refused: 1.5 is not an int32',
      }),
    );
    expect(() => encoder.encode({ i: 1 })).toThrow(
      expect.objectContaining({ code: 'ROW_TIME_NULL' }),
    );
  });
});

describe('an encoder of avro', () => {
  it('writes the bytes that avsc writes', () => {
    const { encoder, source } = codecOf('avro');
    const type = avsc.Type.forSchema(JSON.parse(avroSchemaOf(source)));
    const plain = fc.record({
      at: fc.integer({ min: -(2 ** 52), max: 1.7e15 }),
      i: fc.option(fc.integer()),
      l: fc.option(fc.integer({ min: -(2 ** 52), max: 2 ** 52 })),
      f: fc.option(fc.float()),
      d: fc.option(fc.double()),
      s: fc.option(fc.string({ unit: 'binary', maxLength: 300 })),
      b: fc.option(fc.boolean()),
      y: fc.option(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))),
      j: fc.option(fc.string().map((text) => JSON.stringify(text))),
      t: fc.option(fc.integer({ min: -(2 ** 52), max: 2 ** 52 })),
      ls: fc.option(fc.array(fc.integer())),
      ys: fc.constant(null),
      ss: fc.option(fc.array(fc.string())),
    });
    fc.assert(
      fc.property(plain, (each) => {
        const ours = encoder.encode({ ...each, j: each.j === null ? null : JSON.parse(each.j) });
        expect(Buffer.from(ours).toString('hex')).toBe(
          framed(7, type.toBuffer(each)).toString('hex'),
        );
      }),
    );
  });
});

describe('a record key', () => {
  const keyOf = (keyFields: readonly ('s' | 'l' | 't')[], values: object): string | undefined => {
    const source = topicSource({ name: 'a', topic: 'a', schema, timestampField: 'at', keyFields });
    const key = createRowEncoder({ source, schemaId: 1 }).encodeKey({ ...values });
    return key === null ? undefined : Buffer.from(key).toString();
  };

  it('is the text of one field and a JSON array of several', () => {
    expect(keyOf([], {})).toBeUndefined();
    expect(keyOf(['s'], { s: 'ATL' })).toBe('ATL');
    expect(keyOf(['l'], { l: 2n ** 60n })).toBe('1152921504606846976');
    expect(keyOf(['l'], { l: 5 })).toBe('5');
    expect(keyOf(['t'], { t: 0 })).toBe('1970-01-01T00:00:00.000Z');
    expect(keyOf(['s', 'l'], { s: 'a"b', l: 5 })).toBe('["a\\"b",5]');
  });

  it('is refused when a field of it is null', () => {
    expect(() => keyOf(['s', 'l'], { s: 'a' })).toThrow(
      expect.objectContaining({ code: 'ROW_KEY_NULL' }),
    );
  });
});

/** JSON has no negative zero, and bytes come back as another kind of array. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([name, item]) => [name, comparable(item)])
      .sort();
  }
  return value === 0 ? 0 : value;
}
