/** Bytes that must not change: stores on disk have them. */
import { describe, expect, it } from 'vitest';
import type { FieldValue } from '../../src/core/field-type.ts';
import type { KeySchema } from '../../src/definition/index.ts';
import { entityKeyCodec } from '../../src/state/index.ts';

const cases: readonly [KeySchema, readonly FieldValue[], string][] = [
  [{}, [], ''],
  [{ id: 'int32' }, [-2], '7ffffffffffffffe'],
  [{ id: 'int64' }, [1n], '8000000000000001'],
  [{ id: 'int64' }, [-(2n ** 63n)], '0000000000000000'],
  [{ id: 'timestamp' }, [-1], '7fffffffffffffff'],
  [{ id: 'timestamp' }, [1_736_942_400_000_000], '80062bbd6abf5000'],
  [{ id: 'bool' }, [true], '01'],
  [{ id: 'string' }, ['JFK'], '4a464b0000'],
  [{ id: 'string' }, ['a\0b'], '6100ff620000'],
  [{ id: 'bytes' }, [Uint8Array.of(0, 255)], '00ffff0000'],
  [{ b: 'string', a: 'int32' }, [7, ''], '80000000000000070000'],
];

describe('the bytes of entity keys', () => {
  it.each(cases)('%o %o', (joinKeys, values, hex) => {
    expect(Buffer.from(entityKeyCodec(joinKeys).encode(values)).toString('hex')).toBe(hex);
  });
});
