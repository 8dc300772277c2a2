import { createFieldReader, type FieldReader, type SchemaRegistry } from '../codec/index.ts';
import type { Clock } from '../core/clock.ts';
import { toJsonValue } from '../core/coerce.ts';
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { recordKeyText } from '../core/record-key.ts';
import type { TopicSource } from '../definition/index.ts';

/** Whether a record is of the entity that is asked for. */
export type Owner = 'yes' | 'no' | 'unknown';

interface RejectOwnerOptions {
  readonly source: TopicSource;
  readonly registry: SchemaRegistry | undefined;
  readonly clock: Clock;
  /** The entity: a value of each join key. */
  readonly keyValues: Readonly<Record<string, FieldValue>>;
}

/**
 * Tells of records that are no rows whether they are of one entity: by its join keys among their
 * fields, where these can be read, otherwise by the record key, where the source's key fields name
 * the entity.
 */
export class RejectOwner {
  readonly #reader: FieldReader;
  readonly #wanted: readonly (readonly [name: string, type: FieldType, text: string])[];
  /** Null where a record key does not name the entity. */
  readonly #recordKeys: Set<string> | null;

  constructor({ source, registry, clock, keyValues }: RejectOwnerOptions) {
    const fields = Object.keys(keyValues);
    const { keyFields, schema } = source;
    this.#reader = createFieldReader({ source, fields, registry, clock });
    this.#wanted = Object.entries(keyValues).map(([name, value]) => {
      const type = schema[name] as FieldType;
      return [name, type, keyText(type, value)];
    });
    const isKeyed = fields.every((name) => keyFields.includes(name));
    this.#recordKeys = isKeyed ? new Set() : null;
    if (isKeyed && keyFields.length === fields.length) {
      const types = keyFields.map((name) => schema[name] as FieldType);
      const values = keyFields.map((name) => keyValues[name] as FieldValue);
      this.learn(Buffer.from(recordKeyText(types, values)));
    }
  }

  /** The record key of a row of the entity: whoever wrote it, others with the same are its, too. */
  learn(recordKey: Uint8Array | null): void {
    if (recordKey !== null) this.#recordKeys?.add(textOf(recordKey));
  }

  async of(recordKey: Uint8Array | null, value: Uint8Array | null): Promise<Owner> {
    const fields = await this.#reader.read(value);
    if (this.#wanted.every(([name]) => fields.has(name))) {
      const isIt = this.#wanted.every(
        ([name, type, text]) => keyText(type, fields.get(name) ?? null) === text,
      );
      return isIt ? 'yes' : 'no';
    }
    if (recordKey === null || this.#recordKeys === null) return 'unknown';
    return this.#recordKeys.has(textOf(recordKey)) ? 'yes' : 'no';
  }
}

/** Equal for equal values of a type. */
export function keyText(type: FieldType, value: FieldValue): string {
  return JSON.stringify(toJsonValue(type, value));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
