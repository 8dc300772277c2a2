import type { KvEntry, KvOperation } from './kv-store.ts';

/** Entries of a leaf before it is split: copying one costs about a microsecond. */
const LEAF_ENTRIES_MAX = 256;

type Leaf = KvEntry[];

/**
 * An immutable map in the order of unsigned bytes: a list of leaves. Applying operations copies the
 * list and each touched leaf once, so that an older map stays as it was.
 */
export class SortedMap {
  static readonly empty = new SortedMap([]);
  /** None is empty; the keys rise through all of them. */
  readonly #leaves: readonly Leaf[];

  private constructor(leaves: readonly Leaf[]) {
    this.#leaves = leaves;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const leaf = this.#leaves[leafOf(this.#leaves, key)];
    if (leaf === undefined) return undefined;
    const entry = leaf[lowerBound(leaf, key)];
    return entry !== undefined && Buffer.compare(entry[0], key) === 0 ? entry[1] : undefined;
  }

  *entries(gte: Uint8Array | null, lt: Uint8Array | null, reverse: boolean): Generator<KvEntry> {
    const first = gte === null ? 0 : leafOf(this.#leaves, gte);
    const last = lt === null ? this.#leaves.length - 1 : leafOf(this.#leaves, lt);
    const step = reverse ? -1 : 1;
    for (let l = reverse ? last : first; l >= first && l <= last; l += step) {
      const leaf = this.#leaves[l];
      if (leaf === undefined) return;
      const from = gte === null ? 0 : lowerBound(leaf, gte);
      const to = lt === null ? leaf.length : lowerBound(leaf, lt);
      for (let i = reverse ? to - 1 : from; i >= from && i < to; i += step) yield leaf[i]!;
    }
  }

  /** The map after the operations; copies keys and values. */
  apply(operations: readonly KvOperation[]): SortedMap {
    const draft = new Draft(this.#leaves);
    for (const operation of operations) {
      if (operation.type === 'put') draft.put(operation.key, operation.value);
      else if (operation.type === 'delete') draft.delete(operation.key);
      else draft.deleteRange(operation.gte, operation.lt);
    }
    return new SortedMap(draft.leaves);
  }
}

class Draft {
  readonly leaves: Leaf[];
  /** Leaves that this draft made, and may change. */
  readonly #own = new Set<Leaf>();

  constructor(leaves: readonly Leaf[]) {
    this.leaves = leaves.slice();
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const entry: KvEntry = [new Uint8Array(key), new Uint8Array(value)];
    if (this.leaves.length === 0) this.#insertLeaf(0, []);
    const l = leafOf(this.leaves, key);
    const leaf = this.#ownLeaf(l);
    const i = lowerBound(leaf, key);
    leaf.splice(i, isAt(leaf, i, key) ? 1 : 0, entry);
    if (leaf.length > LEAF_ENTRIES_MAX) {
      this.#insertLeaf(l + 1, leaf.splice(LEAF_ENTRIES_MAX >>> 1));
    }
  }

  delete(key: Uint8Array): void {
    const l = leafOf(this.leaves, key);
    const leaf = this.leaves[l];
    if (leaf === undefined) return;
    const i = lowerBound(leaf, key);
    if (isAt(leaf, i, key)) this.#remove(l, i, i + 1);
  }

  deleteRange(gte: Uint8Array, lt: Uint8Array): void {
    if (Buffer.compare(gte, lt) >= 0) return;
    for (let l = leafOf(this.leaves, lt); l >= leafOf(this.leaves, gte) && l >= 0; l--) {
      const leaf = this.leaves[l];
      if (leaf !== undefined) this.#remove(l, lowerBound(leaf, gte), lowerBound(leaf, lt));
    }
  }

  #remove(l: number, from: number, to: number): void {
    if (from >= to) return;
    const leaf = this.#ownLeaf(l);
    leaf.splice(from, to - from);
    if (leaf.length === 0) this.leaves.splice(l, 1);
  }

  #ownLeaf(l: number): Leaf {
    const leaf = this.leaves[l] as Leaf;
    if (this.#own.has(leaf)) return leaf;
    const copy = leaf.slice();
    this.#own.add(copy);
    this.leaves[l] = copy;
    return copy;
  }

  #insertLeaf(l: number, leaf: Leaf): void {
    this.#own.add(leaf);
    this.leaves.splice(l, 0, leaf);
  }
}

/** The leaf that holds the key or would hold it: the last one that begins at or before it, or 0. */
function leafOf(leaves: readonly Leaf[], key: Uint8Array): number {
  let low = 1;
  let high = leaves.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(leaves[middle]![0]![0], key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Index of the first entry at or after the key. */
function lowerBound(leaf: readonly KvEntry[], key: Uint8Array): number {
  let low = 0;
  let high = leaf.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(leaf[middle]![0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isAt(leaf: readonly KvEntry[], i: number, key: Uint8Array): boolean {
  const entry = leaf[i];
  return entry !== undefined && Buffer.compare(entry[0], key) === 0;
}
