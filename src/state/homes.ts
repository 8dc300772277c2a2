/**
 * Where the rows of an entity are. A producer that keys records by the join keys sends an entity to
 * one partition, its home, and a read looks there alone. Once a row has arrived elsewhere, or the
 * topic has got more partitions, the view is *spread*: reads look into every partition and take the
 * greatest row.
 *
 * ```
 * meta HOME value := partitions u16 | spread u8
 * ```
 */
import type { FieldType, FieldValue } from '../core/field-type.ts';
import { partitionForText } from '../core/murmur2.ts';
import { recordKeyText } from '../core/record-key.ts';
import type { FeatureView } from '../definition/index.ts';
import { KvBatch, type KvStore } from '../kv/index.ts';
import { u16 } from './dictionary.ts';
import { META, metaKey, prefixRange, restOfMetaKey } from './key-schema.ts';

/** What is known about where a view's streamed rows are. */
export interface HomeState {
  /** Partitions of the topic when homes were last worked out. */
  readonly partitions: number;
  /** Whether some row is, or may be, outside its home partition. */
  readonly spread: boolean;
}

/** Where views' rows are: their home states, loaded once and kept with every write. */
export class Homes {
  readonly #kv: KvStore;
  readonly #states = new Map<number, HomeState>();
  #lastWrite: Promise<unknown> = Promise.resolve();

  private constructor(kv: KvStore) {
    this.#kv = kv;
  }

  static async load(kv: KvStore): Promise<Homes> {
    const homes = new Homes(kv);
    for await (const page of kv.scan(prefixRange(metaKey(META.home)))) {
      for (const [key, value] of page) {
        const viewId = Buffer.from(restOfMetaKey(key)).readUInt16BE();
        homes.#states.set(viewId, decode(value));
      }
    }
    return homes;
  }

  /** Undefined while no row of the view was ever written. */
  get(viewId: number): HomeState | undefined {
    return this.#states.get(viewId);
  }

  /**
   * Before a view's rows are written: what the store has, after a note of the partition count.
   * A count that changed spreads the view.
   */
  ensure(viewId: number, partitions: number): Promise<HomeState> {
    const result = this.#lastWrite.then(async () => {
      const stored = await this.#kv.get(homeKey(viewId));
      const before = stored === undefined ? { partitions, spread: false } : decode(stored);
      const spread = before.spread || before.partitions !== partitions;
      const state = { partitions, spread };
      if (stored === undefined || before.partitions !== partitions) {
        await this.#kv.write(new KvBatch().put(homeKey(viewId), encode(state)));
      }
      this.#states.set(viewId, { partitions, spread: spread || this.#isSpread(viewId) });
      return state;
    });
    this.#lastWrite = result.catch(() => {}); // the caller gets the error
    return result;
  }

  /** Marks the view in the batch that brings the first row outside its home; reads see it at once. */
  markSpread(viewId: number, partitions: number, into: KvBatch): void {
    const state = { partitions, spread: true };
    into.put(homeKey(viewId), encode(state));
    this.#states.set(viewId, state);
  }

  /** Forgets a view, with its rows. */
  forget(viewId: number, into: KvBatch): void {
    into.delete(homeKey(viewId));
    this.#states.delete(viewId);
  }

  /** A mark that is in memory only, its batch under way, must not be lost. */
  #isSpread(viewId: number): boolean {
    return this.#states.get(viewId)?.spread === true;
  }
}

/** Works out the home partition of one view's entities. */
export interface HomeFinder {
  /** From values in the order of the entity key's names. */
  homeOf(values: readonly FieldValue[], partitions: number): number;
}

/** Null when record keys do not follow from the view's join keys: then every partition may have rows. */
export function homeFinder(view: FeatureView, keyNames: readonly string[]): HomeFinder | null {
  const source = view.streamSource;
  if (source === null) return null;
  const places = source.keyFields.map((field) => keyNames.indexOf(field));
  if (places.length === 0 || places.includes(-1)) return null;
  const types = source.keyFields.map((field) => view.joinKeys[field] as FieldType);
  return {
    homeOf: (values, partitions) => {
      if (partitions === 1) return 0;
      const text = recordKeyText(
        types,
        places.map((place) => values[place] as FieldValue),
      );
      return partitionForText(text, partitions);
    },
  };
}

function homeKey(viewId: number): Uint8Array {
  return metaKey(META.home, u16(viewId));
}

function encode({ partitions, spread }: HomeState): Uint8Array {
  return Buffer.concat([u16(partitions), Buffer.from([spread ? 1 : 0])]);
}

function decode(value: Uint8Array): HomeState {
  const bytes = Buffer.from(value);
  return { partitions: bytes.readUInt16BE(0), spread: bytes.readUInt8(2) === 1 };
}
