import { describe, expect, it } from 'vitest';
import { elementType, isFieldType, isKeyType } from '../../src/core/field-type.ts';

describe('field types', () => {
  it('are the scalars, arrays of scalars, and json', () => {
    for (const type of ['int32', 'int64', 'timestamp', 'bytes', 'bool', 'string[]', 'json']) {
      expect(isFieldType(type)).toBe(true);
    }
    for (const type of ['int', 'json[]', 'string[][]', '[]', 'String', '', null, 1]) {
      expect(isFieldType(type)).toBe(false);
    }
  });

  it('of keys are those with one canonical form', () => {
    for (const type of ['int32', 'int64', 'string', 'bool', 'bytes', 'timestamp']) {
      expect(isKeyType(type)).toBe(true);
    }
    for (const type of ['float32', 'float64', 'json', 'string[]']) {
      expect(isKeyType(type)).toBe(false);
    }
  });

  it('of arrays name the type of their elements', () => {
    expect(elementType('int64[]')).toBe('int64');
    expect(elementType('int64')).toBeNull();
    expect(elementType('json')).toBeNull();
  });
});
