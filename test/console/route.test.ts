import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf, parseRoute } from '../../console/route.ts';

describe('the address of a page', () => {
  it('names it', () => {
    expect(parseRoute('')).toEqual({ page: 'overview' });
    expect(parseRoute('#/')).toEqual({ page: 'overview' });
    expect(parseRoute('#/dead-letters')).toEqual({ page: 'dead-letters' });
    expect(parseRoute('#/catalogue?search')).toEqual({ page: 'catalogue' });
  });

  it('leads nowhere when it is wrong', () => {
    for (const hash of ['#/topic', '#/topics/x', '#/catalogue/thing/x', '#/catalogue/entity/%']) {
      expect(parseRoute(hash), hash).toEqual({ page: 'unknown', hash });
    }
  });

  it('holds any name of a definition', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'binary' }), (name) => {
        const hash = hashOf({ kind: 'featureView', name });
        expect(parseRoute(hash)).toEqual({ page: 'definition', kind: 'featureView', name });
      }),
    );
  });
});
