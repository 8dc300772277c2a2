/** Bytes that must not change: stores on disk have them. */
import { describe, expect, it } from 'vitest';
import {
  entityStateKey,
  numberedKey,
  prefixRange,
  SPACE,
  stateKey,
  tilesKey,
  timerKey,
  viewRange,
} from '../../src/state/index.ts';
import { META, metaKey } from '../../src/state/key-schema.ts';

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');

describe('the bytes of keys', () => {
  it.each([
    ['a cursor', stateKey(1, 3, SPACE.cursor), '0001000301'],
    ['backfill', stateKey(0x1234, 0, SPACE.backfill), '1234000003'],
    ['an outbox record', numberedKey(1, 3, SPACE.outbox, 5), '00010003020000000000000005'],
    ['a manifest entry', numberedKey(1, 3, SPACE.segment, 2 ** 40), '00010003040000010000000000'],
    ['a gap', numberedKey(1, 3, SPACE.gap, 7), '00010003050000000000000007'],
    ['a revision', stateKey(1, 3, SPACE.revision), '0001000307'],
    ['a row', entityStateKey(1, 3, SPACE.row, 7, Uint8Array.of(0xaa)), '00010003100007aa'],
    ['a head', entityStateKey(1, 3, SPACE.head, 7, Uint8Array.of(0xaa)), '00010003110007aa'],
    [
      'a block of tiles',
      tilesKey(1, 3, { viewId: 7, group: 2 }, 5, Uint8Array.of(0xaa)),
      '00010003120007028000000000000005aa',
    ],
    [
      'a block before 1970',
      tilesKey(1, 3, { viewId: 7, group: 2 }, -1, Uint8Array.of(0xaa)),
      '00010003120007027fffffffffffffffaa',
    ],
    [
      'a timer',
      timerKey(1, 3, { viewId: 7, group: 2 }, 1_743_315_614_000_000, Uint8Array.of(0xaa)),
      '0001000314000702800631894be76380aa',
    ],
    ['the format', metaKey(META.format), '0000000001'],
    ['a name', metaKey(META.name, Buffer.from('\x02delay')), '00000000020264656c6179'],
    ['a home', metaKey(META.home, Uint8Array.of(0, 7)), '00000000040007'],
    ['a layout', metaKey(META.layout, Uint8Array.of(0, 9)), '00000000050009'],
  ])('%s', (_, key, bytes) => {
    expect(hex(key)).toBe(bytes);
  });

  it.each([
    ['a partition', prefixRange(stateKey(1, 2, SPACE.row)), '0001000210', '0001000211'],
    ['a view', viewRange(1, 2, SPACE.row, 0xff), '000100021000ff', '000100021001'],
    ['the last view', viewRange(1, 2, SPACE.row, 0xffff), '0001000210ffff', '0001000211'],
    ['all keys', prefixRange(Uint8Array.of(0xff)), 'ff', 'ffff'],
  ])('the range of %s', (_, { gte, lt }, from, to) => {
    expect([hex(gte), hex(lt)]).toEqual([from, to]);
  });
});
