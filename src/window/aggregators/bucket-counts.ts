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
    if (this.#dense === null && this.#indexes === NOTHING) this.#copy(from);
    else if (from.#dense !== null) this.#mergeDense(from.#first, from.#dense);
    else if (from.#indexes !== NOTHING) this.#mergeLists(from.#indexes, from.#counts);
  }

  #mergeDense(first: number, counts: readonly number[]): void {
    const dense = this.#reserved(first, first + counts.length - 1);
    if (dense === null) {
      for (let k = 0; k < counts.length; k++) {
        if (counts[k] !== 0) this.add(first + k, counts[k] as number);
      }
      return;
    }
    const shift = first - this.#first;
    for (let k = 0; k < counts.length; k++) {
      dense[k + shift] = (dense[k + shift] as number) + (counts[k] as number);
    }
  }

  #mergeLists(indexes: readonly number[], counts: readonly number[]): void {
    const dense = this.#reserved(indexes[0] as number, indexes[indexes.length - 1] as number);
    if (dense !== null) {
      const first = this.#first;
      for (let k = 0; k < indexes.length; k++) {
        const place = (indexes[k] as number) - first;
        dense[place] = (dense[place] as number) + (counts[k] as number);
      }
      return;
    }
    if (indexes.length * FEW_OF < this.#indexes.length) {
      for (let k = 0; k < indexes.length; k++) this.add(indexes[k] as number, counts[k] as number);
      return;
    }
    const [ours, ourCounts] = [this.#indexes, this.#counts];
    this.#indexes = [];
    this.#counts = [];
    for (let i = 0, k = 0; i < ours.length || k < indexes.length; ) {
      const mine = i < ours.length ? (ours[i] as number) : Number.POSITIVE_INFINITY;
      const theirs = k < indexes.length ? (indexes[k] as number) : Number.POSITIVE_INFINITY;
      this.#indexes.push(Math.min(mine, theirs));
      this.#counts.push(
        (mine <= theirs ? (ourCounts[i] as number) : 0) +
          (theirs <= mine ? (counts[k] as number) : 0),
      );
      if (mine <= theirs) i++;
      if (theirs <= mine) k++;
    }
    if (this.#indexes.length > LIST_MAX) this.#toDense();
  }

  /** Adds the counts to `totals`, whose place 0 is the bucket `first`; all of them must be in it. */
  addTo(totals: Float64Array, first: number): void {
    const dense = this.#dense;
    const counts = dense ?? this.#counts;
    const shift = this.#first - first;
    for (let k = 0; k < counts.length; k++) {
      const place = dense === null ? (this.#indexes[k] as number) - first : k + shift;
      totals[place] = (totals[place] as number) + (counts[k] as number);
    }
  }

  /** The least bucket that may have a count, and the greatest; Infinity and -Infinity without any. */
  get first(): number {
    return this.#dense === null ? (this.#indexes[0] ?? Number.POSITIVE_INFINITY) : this.#first;
  }

  get last(): number {
    if (this.#dense !== null) return this.#first + this.#dense.length - 1;
    return this.#indexes[this.#indexes.length - 1] ?? Number.NEGATIVE_INFINITY;
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
    const counts = this.#dense ?? this.#counts;
    for (let k = 0; k < counts.length; k++) {
      const count = counts[k] as number;
      if (count > 0 && visit(this.#indexAt(k), count)) return true;
    }
    return false;
  }

  /** The same by falling number. */
  someFromEnd(visit: (index: number, count: number) => boolean): boolean {
    const counts = this.#dense ?? this.#counts;
    for (let k = counts.length - 1; k >= 0; k--) {
      const count = counts[k] as number;
      if (count > 0 && visit(this.#indexAt(k), count)) return true;
    }
    return false;
  }

  #indexAt(place: number): number {
    return this.#dense === null ? (this.#indexes[place] as number) : this.#first + place;
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

/** The sum of several counts, for one look at it; used again and again, so that it costs no memory. */
export class BucketTotals {
  readonly #totals = new Float64Array(TOTALS_MAX);
  /** The bucket of place 0. */
  #origin = 0;
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  /** False when the buckets are too far apart, and the sum is of no use. */
  add(counts: BucketCounts): boolean {
    const { first, last } = counts;
    if (last < first) return true;
    if (this.#last < this.#first) this.#origin = first - TOTALS_MAX / 2;
    if (first < this.#origin || last >= this.#origin + TOTALS_MAX) return false;
    counts.addTo(this.#totals, this.#origin);
    this.#first = Math.min(this.#first, first);
    this.#last = Math.max(this.#last, last);
    return true;
  }

  /** As `BucketCounts.some`. */
  some(visit: (index: number, count: number) => boolean): boolean {
    for (let index = this.#first; index <= this.#last; index++) {
      const count = this.#totals[index - this.#origin] as number;
      if (count > 0 && visit(index, count)) return true;
    }
    return false;
  }

  /** As `BucketCounts.someFromEnd`. */
  someFromEnd(visit: (index: number, count: number) => boolean): boolean {
    for (let index = this.#last; index >= this.#first; index--) {
      const count = this.#totals[index - this.#origin] as number;
      if (count > 0 && visit(index, count)) return true;
    }
    return false;
  }

  clear(): void {
    if (this.#first <= this.#last) {
      this.#totals.fill(0, this.#first - this.#origin, this.#last - this.#origin + 1);
    }
    this.#first = Number.POSITIVE_INFINITY;
    this.#last = Number.NEGATIVE_INFINITY;
  }
}

/** Values that differ by a factor of 10^70 at an accuracy of 0.01. */
const TOTALS_MAX = 16_384;

/** Buckets in lists: inserting into them is a copy. */
const LIST_MAX = 64;
/** A list of fewer than one in so many is inserted into another, one by one. */
const FEW_OF = 8;
/** Buckets of an array: 32 kB. */
const SPAN_MAX = 4_096;
const SLACK = 16;

/** Half of all sketches have no negative value: the list of nothing is made once. */
const NOTHING: number[] = [];

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}
