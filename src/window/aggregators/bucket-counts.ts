/**
 * Counts by bucket number. A few buckets are two sorted lists; many, close together, are one array,
 * which adds up without allocating.
 */
export class BucketCounts {
  #indexes: number[] = NOTHING;
  #counts: number[] = NOTHING;
  /** Counts of buckets from `#first` on; null while the lists hold them. */
  #dense: number[] | null = null;
  #first = 0;

  /** Adds a bucket above all that are there. */
  push(index: number, count: number): void {
    if (this.#dense !== null || this.#indexes.length >= LIST_MAX) {
      this.add(index, count);
      return;
    }
    if (this.#indexes === NOTHING) {
      this.#indexes = [];
      this.#counts = [];
    }
    this.#indexes.push(index);
    this.#counts.push(count);
  }

  add(index: number, count: number): void {
    const dense = this.#reserved(index, index);
    if (dense !== null) {
      const k = index - this.#first;
      dense[k] = (dense[k] as number) + count;
      return;
    }
    if (this.#indexes === NOTHING) {
      this.#indexes = [index];
      this.#counts = [count];
      return;
    }
    const place = this.#placeOf(index);
    if (this.#indexes[place] === index) {
      this.#counts[place] = (this.#counts[place] as number) + count;
      return;
    }
    this.#indexes.splice(place, 0, index);
    this.#counts.splice(place, 0, count);
    if (this.#indexes.length > LIST_MAX) this.#toDense();
  }

  merge(from: BucketCounts): void {
    const counts = from.#dense;
    if (this.#dense === null && this.#indexes === NOTHING) {
      this.#copy(from);
      return;
    }
    if (counts === null) {
      for (let k = 0; k < from.#indexes.length; k++) {
        this.add(from.#indexes[k] as number, from.#counts[k] as number);
      }
      return;
    }
    const end = from.#first + counts.length - 1;
    const dense = this.#reserved(from.#first, end);
    if (dense === null) {
      for (let k = 0; k < counts.length; k++) {
        if (counts[k] !== 0) this.add(from.#first + k, counts[k] as number);
      }
      return;
    }
    const shift = from.#first - this.#first;
    for (let k = 0; k < counts.length; k++) {
      dense[k + shift] = (dense[k + shift] as number) + (counts[k] as number);
    }
  }

  #copy(from: BucketCounts): void {
    this.#first = from.#first;
    this.#dense = from.#dense === null ? null : from.#dense.slice();
    if (from.#indexes === NOTHING) return;
    this.#indexes = from.#indexes.slice();
    this.#counts = from.#counts.slice();
  }

  /** Buckets that are not empty, by rising number, until `visit` answers true. */
  some(visit: (index: number, count: number) => boolean): boolean {
    if (this.#dense === null) {
      return this.#indexes.some((index, k) => visit(index, this.#counts[k] as number));
    }
    return this.#dense.some((count, k) => count > 0 && visit(this.#first + k, count));
  }

  /** The same by falling number. */
  someFromEnd(visit: (index: number, count: number) => boolean): boolean {
    const all: [number, number][] = [];
    this.some((index, count) => {
      all.push([index, count]);
      return false;
    });
    return all.reverse().some(([index, count]) => visit(index, count));
  }

  get size(): number {
    if (this.#dense === null) return this.#indexes.length;
    let size = 0;
    for (const count of this.#dense) if (count > 0) size++;
    return size;
  }

  /** Where a bucket is in the lists, or would be. */
  #placeOf(index: number): number {
    let low = 0;
    let high = this.#indexes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#indexes[middle] as number) < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #toDense(): void {
    const first = this.#indexes[0] as number;
    const last = this.#indexes.at(-1) as number;
    if (last - first >= SPAN_MAX) return;
    const dense = zeros(last - first + 1);
    for (let k = 0; k < this.#indexes.length; k++) {
      dense[(this.#indexes[k] as number) - first] = this.#counts[k] as number;
    }
    this.#first = first;
    this.#dense = dense;
    this.#indexes = NOTHING;
    this.#counts = NOTHING;
  }

  /** The array with room for buckets; null where there is none, or they are too far apart for one. */
  #reserved(from: number, to: number): number[] | null {
    const dense = this.#dense;
    if (dense === null) return null;
    const end = this.#first + dense.length;
    if (from >= this.#first && to < end) return dense;
    if (Math.max(to, end - 1) - Math.min(from, this.#first) >= SPAN_MAX) {
      this.#toLists(dense);
      return null;
    }
    for (let k = end; k <= to; k++) dense.push(0);
    if (from < this.#first) {
      // Room in front, so that a sketch that spreads is not copied for each bucket.
      const first = from - SLACK;
      this.#dense = zeros(this.#first - first).concat(dense);
      this.#first = first;
    }
    return this.#dense;
  }

  #toLists(dense: readonly number[]): void {
    this.#dense = null;
    this.#indexes = [];
    this.#counts = [];
    for (let k = 0; k < dense.length; k++) {
      if ((dense[k] as number) === 0) continue;
      this.#indexes.push(this.#first + k);
      this.#counts.push(dense[k] as number);
    }
  }
}

/** Buckets in lists: inserting into them is a copy. */
const LIST_MAX = 64;
/** Buckets of an array: 32 kB. */
const SPAN_MAX = 4_096;
const SLACK = 16;

/** Half of all sketches have no negative value: the list of nothing is made once. */
const NOTHING: number[] = [];

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}
