import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { avroIncompatibilities, avroSchemaOf, normalizeAvroSchema } from '../../src/codec/index.ts';
import { topicSource } from '../../src/definition/index.ts';

describe('avroSchemaOf', () => {
  it('derives the committed contract of the flights', () => {
    const flights = topicSource({
      name: 'flights',
      topic: 'flights',
      schema: {
        date: 'timestamp',
        origin: 'string',
        destination: 'string',
        delay: 'int32',
        distance: 'int32',
      },
      timestampField: 'date',
      keyFields: ['origin'],
    });
    const committed = new URL('../../schemas/events/flight.v1.avsc', import.meta.url);
    expect(JSON.parse(avroSchemaOf(flights))).toEqual(JSON.parse(readFileSync(committed, 'utf8')));
  });

  it('is an Avro schema for every field type', () => {
    const source = topicSource({
      name: 'every_type',
      topic: 'every',
      schema: {
        at: 'timestamp',
        made: 'timestamp',
        i: 'int32',
        l: 'int64',
        f: 'float32',
        d: 'float64',
        s: 'string',
        b: 'bool',
        y: 'bytes',
        j: 'json',
        ts: 'timestamp[]',
        ls: 'int64[]',
      },
      timestampField: 'at',
      createdTimestampField: 'made',
    });
    const schema = JSON.parse(normalizeAvroSchema(avroSchemaOf(source)));
    expect(schema.name).toBe('EveryType');
    expect(schema.fields[1].type).toEqual([
      'null',
      { logicalType: 'timestamp-micros', type: 'long' },
    ]);
  });

  it('stays readable when a field is added or removed', () => {
    const make = (schema: Record<string, 'timestamp' | 'string'>): string =>
      avroSchemaOf(topicSource({ name: 'a', topic: 'a', schema, timestampField: 'at' }));
    const small = make({ at: 'timestamp' });
    const large = make({ at: 'timestamp', extra: 'string' });
    expect([avroIncompatibilities(small, large), avroIncompatibilities(large, small)]).toEqual([
      [],
      [],
    ]);
  });

  it('says why a changed type cannot be read', () => {
    const make = (extra: 'string' | 'int32'): string =>
      avroSchemaOf(
        topicSource({
          name: 'a',
          topic: 'a',
          schema: { at: 'timestamp', extra },
          timestampField: 'at',
        }),
      );
    expect(avroIncompatibilities(make('int32'), make('string')).join()).toMatch(/string/);
  });
});
