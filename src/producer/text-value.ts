import { describeValue } from '../core/coerce.ts';
import { elementType, type FieldType } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';

const DIGITS = /^-?\d{9,}$/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITY = /^[+-]?inf(?:inity)?$/i;
const TRUE = /^(?:true|t|1|yes)$/i;
const FALSE = /^(?:false|f|0|no)$/i;

/**
 * Text of a file as a value that `coercerOf` takes: what a CSV holds in every column, and Parquet
 * in a column of JSON text. Other text is left as it is, to be refused by its field.
 * @throws FreshetError VALUE_TYPE from the function, for text that is not JSON
 */
export function textValueOf(type: FieldType): (text: string) => unknown {
  if (type === 'json' || elementType(type) !== null) return jsonValue;
  switch (type) {
    case 'int32':
    case 'int64':
      return (text) => text.trim().replace(/^\+/, '').replace(/\.0+$/, '');
    case 'float32':
    case 'float64':
      return floatValue;
    case 'bool':
      return boolValue;
    case 'timestamp':
      return (text) => (DIGITS.test(text) ? Number(text) : text);
    default:
      return (text) => text;
  }
}

function floatValue(text: string): unknown {
  const trimmed = text.trim();
  if (NUMBER.test(trimmed)) return Number(trimmed);
  if (INFINITY.test(trimmed))
    return trimmed.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return trimmed.toLowerCase() === 'nan' ? Number.NaN : text;
}

function boolValue(text: string): unknown {
  const trimmed = text.trim();
  if (TRUE.test(trimmed)) return true;
  return FALSE.test(trimmed) ? false : text;
}

function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new FreshetError('VALUE_TYPE', `${describeValue(text)} is not JSON text`);
  }
}
