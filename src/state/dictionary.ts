import { canonicalJson } from '../core/coerce.ts';
import type { FieldType, Schema } from '../core/field-type.ts';
import { FreshetError } from '../errors.ts';
import { KvBatch, type KvStore } from '../kv/index.ts';
import { META, metaKey, prefixRange, restOfMetaKey } from './key-schema.ts';

/** Names and types of the stored features of a view, in the order of their values. */
export interface StoredLayout {
  readonly id: number;
  readonly names: readonly string[];
  readonly types: readonly FieldType[];
}

/** Kinds of names in the store's dictionary. */
const SOURCE = 1;
const VIEW = 2;
type NameKind = typeof SOURCE | typeof VIEW;

const ID_MAX = 0xffff;

/**
 * Short ids for the names that every key and row would repeat. An id is given once, in the order of
 * asking, and kept for ever, even when what it names is deleted.
 */
export class Dictionary {
  readonly #kv: KvStore;
  readonly #ids: Readonly<Record<NameKind, Map<string, number>>> = {
    [SOURCE]: new Map(),
    [VIEW]: new Map(),
  };
  readonly #layouts = new Map<number, StoredLayout>();
  readonly #layoutIds = new Map<string, number>();
  readonly #fingerprints = new Map<number, string>();
  #lastWrite: Promise<unknown> = Promise.resolve();

  private constructor(kv: KvStore) {
    this.#kv = kv;
  }

  static async load(kv: KvStore): Promise<Dictionary> {
    const dictionary = new Dictionary(kv);
    await dictionary.#load();
    return dictionary;
  }

  sourceId(name: string): number | undefined {
    return this.#ids[SOURCE].get(name);
  }

  viewId(name: string): number | undefined {
    return this.#ids[VIEW].get(name);
  }

  /** @throws FreshetError STORE_CORRUPT when a stored row names a layout that there is not */
  requireLayout(id: number): StoredLayout {
    const layout = this.#layouts.get(id);
    if (layout === undefined) throw corrupt(`row of the unknown layout ${id}`);
    return layout;
  }

  /** Ids by source name, in name order. */
  get sources(): ReadonlyMap<string, number> {
    return byName(this.#ids[SOURCE]);
  }

  /** Ids by view name, in name order. */
  get views(): ReadonlyMap<string, number> {
    return byName(this.#ids[VIEW]);
  }

  /** The id of a source; written at once when it is new. */
  ensureSource(name: string): Promise<number> {
    return this.#ensureName(SOURCE, name);
  }

  /** The id of a view; written at once when it is new. */
  ensureView(name: string): Promise<number> {
    return this.#ensureName(VIEW, name);
  }

  /** What the stored state of a view was built from; undefined while nothing was. */
  stateFingerprint(viewId: number): string | undefined {
    return this.#fingerprints.get(viewId);
  }

  /** Written at once. */
  setStateFingerprint(viewId: number, fingerprint: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#kv.write(
        new KvBatch().put(metaKey(META.view, u16(viewId)), Buffer.from(fingerprint)),
      );
      this.#fingerprints.set(viewId, fingerprint);
    });
  }

  /**
   * Gives the state that was built under one name to another, in one durable write with the rest of
   * the batch; the state that had the name is no longer anyone's.
   */
  moveView(from: string, to: string, batch: KvBatch): Promise<void> {
    return this.#inTurn(async () => {
      const ids = this.#ids[VIEW];
      const id = ids.get(from);
      if (id === undefined) throw corrupt(`view without a name, once "${from}"`);
      batch.put(nameKey(VIEW, to), u16(id)).delete(nameKey(VIEW, from));
      await this.#kv.write(batch, { sync: true });
      ids.set(to, id);
      ids.delete(from);
    });
  }

  /** The layout of a schema; written at once when it is new. */
  ensureLayout(schema: Schema): Promise<StoredLayout> {
    return this.#inTurn(async () => {
      const text = canonicalJson(Object.entries(schema));
      const known = this.#layouts.get(this.#layoutIds.get(text) ?? 0);
      if (known !== undefined) return known;
      const id = nextId('layout', this.#layouts.keys());
      await this.#kv.write(new KvBatch().put(metaKey(META.layout, u16(id)), Buffer.from(text)));
      return this.#addLayout(id, text);
    });
  }

  async #load(): Promise<void> {
    for await (const page of this.#kv.scan(prefixRange(metaKey(META.name)))) {
      for (const [key, value] of page) {
        const rest = Buffer.from(restOfMetaKey(key));
        const ids = this.#ids[rest[0] as NameKind];
        if (ids === undefined) throw corrupt(`name of kind ${rest[0]}`);
        ids.set(rest.toString('utf8', 1), readU16(value));
      }
    }
    for await (const page of this.#kv.scan(prefixRange(metaKey(META.layout)))) {
      for (const [key, value] of page) {
        this.#addLayout(readU16(restOfMetaKey(key)), Buffer.from(value).toString());
      }
    }
    for await (const page of this.#kv.scan(prefixRange(metaKey(META.view)))) {
      for (const [key, value] of page) {
        this.#fingerprints.set(readU16(restOfMetaKey(key)), Buffer.from(value).toString());
      }
    }
  }

  #ensureName(kind: NameKind, name: string): Promise<number> {
    return this.#inTurn(async () => {
      const ids = this.#ids[kind];
      const known = ids.get(name);
      if (known !== undefined) return known;
      const used = kind === SOURCE ? ids.values() : [...ids.values(), ...this.#fingerprints.keys()];
      const id = nextId(kind === SOURCE ? 'source' : 'view', used);
      await this.#kv.write(new KvBatch().put(nameKey(kind, name), u16(id)));
      ids.set(name, id);
      return id;
    });
  }

  #addLayout(id: number, text: string): StoredLayout {
    let fields: [string, FieldType][];
    try {
      fields = JSON.parse(text);
    } catch (cause) {
      throw corrupt(`layout ${id}`, cause);
    }
    const layout = { id, names: fields.map(([name]) => name), types: fields.map(([, t]) => t) };
    this.#layouts.set(id, layout);
    this.#layoutIds.set(text, id);
    return layout;
  }

  /** One after another, so that two callers never get the same new id. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lastWrite.then(work);
    this.#lastWrite = result.catch(() => {}); // the caller of `work` gets the error
    return result;
  }
}

function nameKey(kind: NameKind, name: string): Uint8Array {
  return metaKey(META.name, Buffer.concat([Buffer.from([kind]), Buffer.from(name)]));
}

function nextId(kind: string, ids: Iterable<number>): number {
  const id = Math.max(0, ...ids) + 1;
  if (id <= ID_MAX) return id;
  throw new FreshetError(
    'STORE_CORRUPT',
    `the store has no ${kind} id left; it has given ${ID_MAX}`,
  );
}

function byName(ids: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...ids].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function u16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function readU16(bytes: Uint8Array): number {
  if (bytes.length !== 2) throw corrupt(`id of ${bytes.length} bytes`);
  return ((bytes[0] as number) << 8) | (bytes[1] as number);
}

function corrupt(what: string, cause?: unknown): FreshetError {
  return new FreshetError('STORE_CORRUPT', `the store has a ${what}`, { cause });
}
