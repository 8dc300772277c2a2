import type { ManifestReader } from './manifest.ts';
import type { SegmentEntry } from './segment-entry.ts';

export interface SegmentTotals {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

const NONE: SegmentTotals = { files: 0, rows: 0, bytes: 0 };

/**
 * Totals of the segments of sources for those who ask each second: entries are listed again only of
 * the partitions whose revision is another.
 */
export class SegmentTotalsCache {
  readonly #known = new Map<
    string,
    { readonly revision: string; readonly totals: SegmentTotals }
  >();

  /** @throws as `ManifestReader.entries` */
  async of(manifest: ManifestReader, source: string): Promise<SegmentTotals> {
    let sum = NONE;
    for (const [partition, revision] of await manifest.revisions(source)) {
      sum = plus(sum, await this.#ofPartition(manifest, source, partition, revision));
    }
    return sum;
  }

  async #ofPartition(
    manifest: ManifestReader,
    source: string,
    partition: number,
    revision: string | null,
  ): Promise<SegmentTotals> {
    const place = JSON.stringify([source, partition]);
    const known = this.#known.get(place);
    if (known !== undefined && known.revision === revision) return known.totals;
    // Read after its revision, so it is that of the revision or newer: never older.
    const totals = totalsOf(await manifest.entriesOf(source, partition));
    if (revision !== null) this.#known.set(place, { revision, totals });
    return totals;
  }
}

function totalsOf(entries: readonly SegmentEntry[]): SegmentTotals {
  return entries.reduce<SegmentTotals>(
    (sum, { file, rowCount: rows, bytes }) =>
      plus(sum, { files: file === null ? 0 : 1, rows, bytes }),
    NONE,
  );
}

function plus(a: SegmentTotals, b: SegmentTotals): SegmentTotals {
  return { files: a.files + b.files, rows: a.rows + b.rows, bytes: a.bytes + b.bytes };
}
