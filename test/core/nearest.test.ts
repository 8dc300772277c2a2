import { describe, expect, it } from 'vitest';
import { didYouMean, nearestName } from '../../src/core/nearest.ts';

describe('nearestName', () => {
  it('finds a name with a letter wrong, missing, added or swapped', () => {
    const known = ['delay', 'distance', 'origin'];
    for (const typo of ['delai', 'dela', 'delayy', 'dealy', 'DELAY']) {
      expect(nearestName(typo, known)).toBe('delay');
    }
  });

  it('prefers the nearest, and the first of equals', () => {
    expect(nearestName('acct', ['accts', 'act', 'account'])).toBe('accts');
    expect(nearestName('origin_id', ['destination_id', 'origin_ids'])).toBe('origin_ids');
  });

  it('finds nothing when nothing is near', () => {
    expect(nearestName('fare', ['destination', 'timestamp'])).toBeNull();
    expect(nearestName('ab', ['cd'])).toBeNull();
    expect(nearestName('x', [])).toBeNull();
  });
});

describe('didYouMean', () => {
  it('names the nearest, or all that is known', () => {
    expect(didYouMean('dealy', ['delay', 'origin'])).toBe('Did you mean "delay"?');
    expect(didYouMean('fare', ['delay', 'origin'])).toBe('Known: delay, origin.');
    expect(didYouMean('fare', [])).toBe('None is known here.');
  });
});
