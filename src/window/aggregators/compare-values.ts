import type { FieldType, FieldValue } from '../../core/field-type.ts';

/** Negative when a comes before b. */
export type ValueOrder = (a: FieldValue, b: FieldValue) => number;

/**
 * The total order of values of one type: numbers by size with -0 before 0 and NaN last, text by
 * code point, bytes byte by byte, false before true.
 */
export function valueOrder(type: FieldType): ValueOrder {
  switch (type) {
    case 'float32':
    case 'float64':
      return compareDoubles as ValueOrder;
    case 'string':
      return compareText as ValueOrder;
    case 'bytes':
      return (a, b) => Buffer.compare(a as Uint8Array, b as Uint8Array);
    default:
      return compareOrdered;
  }
}

function compareOrdered(a: FieldValue, b: FieldValue): number {
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}

function compareDoubles(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return a === 0 ? (Object.is(a, -0) ? 0 : 1) - (Object.is(b, -0) ? 0 : 1) : 0;
  return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0);
}

/** UTF-16 order differs from code point order where surrogates meet U+E000 and above. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xIsSurrogate = x >= 0xd800 && x < 0xe000;
    const yIsSurrogate = y >= 0xd800 && y < 0xe000;
    if (xIsSurrogate !== yIsSurrogate && x >= 0xd800 && y >= 0xd800) return xIsSurrogate ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}
