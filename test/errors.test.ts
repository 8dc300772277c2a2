import { describe, expect, it } from 'vitest';
import { ERROR_TABLE, FreshetError, toFreshetError } from '../src/errors.ts';

describe('a FreshetError', () => {
  it('carries what its code stands for in the table', () => {
    const error = new FreshetError('DISK_FULL', 'the disk is full', { where: { file: 'a' } });
    expect(error).toMatchObject({
      ...ERROR_TABLE.DISK_FULL,
      code: 'DISK_FULL',
      name: 'FreshetError',
    });
    expect(error.where).toEqual({ file: 'a' });
  });

  it('tells a person what happened, where, and what to do next, without a stack', () => {
    const where = { topic: 'flights', partition: 3, offset: 7 };
    const text = new FreshetError('OFFSET_GAP', 'records were removed', { where }).describe();
    expect(text.split('\n')).toEqual([
      'OFFSET_GAP: records were removed',
      '  where: topic flights, partition 3, offset 7',
      `  next:  ${ERROR_TABLE.OFFSET_GAP.next}`,
    ]);
  });

  it('says nothing of the place when none is known', () => {
    expect(new FreshetError('STORE_CLOSED', 'closed').describe()).not.toContain('where');
  });

  it('lets the caller give better advice than the table', () => {
    const next = 'Write 7d.';
    expect(new FreshetError('INVALID_ARGUMENT', 'no', { next }).describe()).toContain(next);
  });

  it('becomes JSON without its cause or its stack', () => {
    const error = new FreshetError('LOG_CORRUPT', 'bad', { cause: new Error('inner') });
    expect(Object.keys(JSON.parse(JSON.stringify(error)))).toEqual([
      'code',
      'message',
      'where',
      'next',
    ]);
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe('any thrown value', () => {
  it('becomes a FreshetError with the value as its cause', () => {
    const cause = new Error('refused');
    const error = toFreshetError(cause, 'LOG_UNAVAILABLE', { topic: 'a' });
    expect(error).toMatchObject({ code: 'LOG_UNAVAILABLE', message: 'refused', cause });
    expect(toFreshetError('text', 'LOG_UNAVAILABLE').message).toBe('text');
  });

  it('stays what it is when it is a FreshetError already', () => {
    const error = new FreshetError('DISK_FULL', 'full');
    expect(toFreshetError(error, 'LOG_UNAVAILABLE')).toBe(error);
  });
});
