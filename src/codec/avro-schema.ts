import type { FieldType, ScalarType } from '../core/field-type.ts';
import { elementType } from '../core/field-type.ts';
import type { TopicSource } from '../definition/index.ts';

/**
 * The Avro record of a source, as JSON text: what its producers write and the engine reads. Every
 * field is nullable with the default null, so that fields may come and go, except the event time.
 */
export function avroSchemaOf(source: TopicSource): string {
  const fields = Object.entries(source.schema).map(([name, type]) =>
    name === source.timestampField
      ? { name, type: avroTypeOf(type) }
      : { name, type: ['null', avroTypeOf(type)], default: null },
  );
  return JSON.stringify({
    type: 'record',
    name: camelCase(source.name),
    namespace: 'freshet',
    fields,
  });
}

/** The subject of the values of a topic, by Confluent's rule. */
export function subjectOf(topic: string): string {
  return `${topic}-value`;
}

type AvroType = string | { readonly type: string; readonly [attribute: string]: unknown };

const SCALARS: Readonly<Record<ScalarType, AvroType>> = {
  int32: 'int',
  int64: 'long',
  float32: 'float',
  float64: 'double',
  string: 'string',
  bool: 'boolean',
  bytes: 'bytes',
  timestamp: { type: 'long', logicalType: 'timestamp-micros' },
};

function avroTypeOf(type: FieldType): AvroType {
  if (type === 'json') return { type: 'string', logicalType: 'json' };
  const element = elementType(type);
  return element === null
    ? SCALARS[type as ScalarType]
    : { type: 'array', items: SCALARS[element] };
}

function camelCase(name: string): string {
  return name.replace(/(?:^|_)([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
