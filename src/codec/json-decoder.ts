import { type Coercer, coercerOf } from '../core/coerce.ts';
import type { FieldType } from '../core/field-type.ts';
import type { RowLayout } from '../core/row-batch.ts';
import { type TimestampInput, toTimestampUs } from '../core/time.ts';
import { FreshetError } from '../errors.ts';
import {
  makeRowRules,
  RowBatchBuilder,
  type RowFiller,
  type RowRulesOptions,
  type RowTarget,
} from './row-batch-builder.ts';
import type { RowDecoder } from './row-codec.ts';
import { RowError } from './row-error.ts';

/**
 * Rows as JSON objects. Values may be what `core/coerce.ts` accepts; fields that the source does
 * not name are ignored, and missing ones are null.
 */
export function createJsonDecoder(options: RowRulesOptions): RowDecoder {
  const rules = makeRowRules(options);
  const filler = new JsonFiller(rules.layout);
  return {
    layout: rules.layout,
    decode: (batch) => new RowBatchBuilder(rules, batch).addAll(filler),
  };
}

export class JsonFiller implements RowFiller {
  readonly #names: readonly string[];
  readonly #coercers: readonly Coercer[];

  constructor(layout: RowLayout) {
    this.#names = layout.names;
    this.#coercers = layout.types.map(rowCoercerOf);
  }

  fill(value: Uint8Array, target: RowTarget): void {
    const row = parseObject(value);
    for (let column = 0; column < this.#names.length; column++) {
      const name = this.#names[column] as string;
      // A field may be called `constructor`: only the row's own members count.
      const input = Object.hasOwn(row, name) ? row[name] : null;
      try {
        target.set(column, (this.#coercers[column] as Coercer)(input));
      } catch (thrown) {
        if (!(thrown instanceof FreshetError)) throw thrown;
        throw new RowError('ROW_TYPE', `field "${name}": ${thrown.message}`);
      }
    }
  }
}

/** Instants out of range pass here: the checks that both formats share refuse them by field. */
function rowCoercerOf(type: FieldType): Coercer {
  if (type !== 'timestamp') return coercerOf(type);
  return (value) => {
    if (value === null || value === undefined) return null;
    return Number.isInteger(value) ? (value as number) : toTimestampUs(value as TimestampInput);
  };
}

function parseObject(value: Uint8Array): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString());
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new RowError('ROW_UNDECODABLE', `not JSON: ${thrown.message}`);
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new RowError('ROW_UNDECODABLE', 'not a JSON object');
  }
  return row as Record<string, unknown>;
}
