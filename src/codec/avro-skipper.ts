import type { AvroCursor } from './avro-cursor.ts';
import { type AvroField, type AvroType, underlyingType } from './avro-type.ts';

export type AvroSkipper = (cursor: AvroCursor) => void;

/** Steps over a value that the source does not name. Types may contain themselves. */
export function avroSkipperOf(type: AvroType): AvroSkipper {
  return compile(type, new Map());
}

/** The fewest bytes a value takes; 0 only for null, empty fixed and records of nothing else. */
export function minBytesOf(type: AvroType): number {
  return leastBytes(underlyingType(type), new Set());
}

function compile(type: AvroType, made: Map<AvroType, AvroSkipper>): AvroSkipper {
  const base = underlyingType(type) as AvroType & Parts;
  if (base.typeName.startsWith('union:')) {
    const skippers = base.types.map((branch) => compile(branch, made));
    return (cursor) => (skippers[cursor.readIndex(skippers.length)] as AvroSkipper)(cursor);
  }
  switch (base.typeName) {
    case 'record':
    case 'error':
      return made.get(base) ?? compileRecord(base, made);
    case 'array':
      return blockSkipper(compile(base.itemsType, made), minBytesOf(base.itemsType));
    case 'map': {
      const skipValue = compile(base.valuesType, made);
      const skipEntry: AvroSkipper = (cursor) => {
        cursor.skipSized();
        skipValue(cursor);
      };
      return blockSkipper(skipEntry, 1 + minBytesOf(base.valuesType));
    }
    case 'fixed':
      return (cursor) => cursor.skip(base.size);
    default:
      return SCALARS[base.typeName] as AvroSkipper;
  }
}

function compileRecord(record: AvroType & Parts, made: Map<AvroType, AvroSkipper>): AvroSkipper {
  const skippers: AvroSkipper[] = [];
  const skip: AvroSkipper = (cursor) => {
    cursor.enter();
    for (const skipField of skippers) skipField(cursor);
    cursor.leave();
  };
  made.set(record, skip);
  for (const field of record.fields) skippers.push(compile(field.type, made));
  return skip;
}

function blockSkipper(skipItem: AvroSkipper, itemBytesMin: number): AvroSkipper {
  return (cursor) => {
    let count = cursor.readBlockCount(itemBytesMin);
    while (count > 0) {
      if (itemBytesMin > 0) for (; count > 0; count--) skipItem(cursor);
      count = cursor.readBlockCount(itemBytesMin);
    }
  };
}

const skipVarint: AvroSkipper = (cursor) => {
  cursor.readLong();
};
const skipSized: AvroSkipper = (cursor) => cursor.skipSized();

const SCALARS: Readonly<Record<string, AvroSkipper>> = {
  null: () => {},
  boolean: (cursor) => cursor.skip(1),
  int: skipVarint,
  long: skipVarint,
  enum: skipVarint,
  float: (cursor) => cursor.skip(4),
  double: (cursor) => cursor.skip(8),
  string: skipSized,
  bytes: skipSized,
};

/** What avsc's types hold, by kind; its typings keep them apart. */
interface Parts {
  readonly types: readonly AvroType[];
  readonly fields: readonly AvroField[];
  readonly itemsType: AvroType;
  readonly valuesType: AvroType;
  readonly size: number;
}

function leastBytes(base: AvroType, within: Set<AvroType>): number {
  switch (base.typeName) {
    case 'null':
      return 0;
    case 'float':
      return 4;
    case 'double':
      return 8;
    case 'fixed':
      return (base as AvroType & Parts).size;
    case 'record':
    case 'error': {
      if (within.has(base)) return 0;
      within.add(base);
      let bytes = 0;
      for (const field of (base as AvroType & Parts).fields) {
        bytes += leastBytes(underlyingType(field.type), within);
      }
      within.delete(base);
      return bytes;
    }
    default:
      return 1;
  }
}
