import { describe, expect, it } from 'vitest';
import { keyInput, parseKey } from '../../console/key-input.ts';

describe('a join key as it is typed', () => {
  it('keeps every digit of a whole number', () => {
    expect(parseKey('int64', ' 9007199254740993 ')).toEqual({ value: '9007199254740993' });
    expect(parseKey('int32', '-7')).toEqual({ value: '-7' });
    for (const text of ['1.5', 'seven', '1e3', '0x10']) {
      expect(parseKey('int32', text), text).toEqual({ fault: 'a whole number' });
    }
  });

  it('keeps a text as it is', () => {
    expect(parseKey('string', ' a b ')).toEqual({ value: ' a b ' });
    expect(parseKey('timestamp', ' 2025-01-31 ')).toEqual({ value: '2025-01-31' });
  });

  it('is true or false', () => {
    expect(parseKey('bool', 'true')).toEqual({ value: true });
    expect(parseKey('bool', 'false')).toEqual({ value: false });
    expect(parseKey('bool', 'yes')).toEqual({ fault: 'true or false' });
  });

  it('is needed', () => {
    for (const type of ['int64', 'string', 'bool', 'timestamp', 'bytes']) {
      expect(parseKey(type, ''), type).toEqual({ fault: 'a value is needed' });
    }
  });

  it('says what it wants', () => {
    expect(keyInput('int64').inputMode).toBe('numeric');
    expect(keyInput('timestamp').hint).toContain('2025-01-31T12:00:00Z');
  });
});
