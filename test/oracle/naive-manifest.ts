import type {
  Manifest,
  ManifestChange,
  RetiredFile,
  SegmentEntry,
} from '../../src/segment/index.ts';

/** A manifest in plain lists: what it holds is what was added and not removed since. */
export class NaiveManifest implements Manifest {
  readonly #entries = new Map<string, SegmentEntry[]>();
  readonly #positions = new Map<string, Uint8Array>();
  #retired: RetiredFile[] = [];

  async entries(source: string): Promise<SegmentEntry[]> {
    return [...(this.#entries.get(source) ?? [])].sort(
      (a, b) =>
        a.partition - b.partition ||
        a.startOffset - b.startOffset ||
        (a.rewrite?.part ?? 0) - (b.rewrite?.part ?? 0),
    );
  }

  async entriesOf(source: string, partition: number): Promise<SegmentEntry[]> {
    return (await this.entries(source)).filter((entry) => entry.partition === partition);
  }

  /** The entries themselves: no mark could be more exact. */
  async revisions(source: string): Promise<Map<number, string>> {
    const partitions = new Set((await this.entries(source)).map(({ partition }) => partition));
    const found = new Map<number, string>();
    for (const partition of partitions) {
      found.set(partition, JSON.stringify(await this.entriesOf(source, partition)));
    }
    return found;
  }

  async snapshot(
    sources: readonly string[] = [...this.#entries.keys()],
  ): Promise<Map<string, SegmentEntry[]>> {
    const found = new Map<string, SegmentEntry[]>();
    for (const source of sources) found.set(source, await this.entries(source));
    return found;
  }

  async commit(source: string, { added = [], removed, positions }: ManifestChange): Promise<void> {
    const gone = [...(removed?.entries ?? []), ...added];
    const kept = (this.#entries.get(source) ?? []).filter(
      (entry) => !gone.some((other) => placeOf(other) === placeOf(entry)),
    );
    this.#entries.set(source, [...kept, ...added]);
    for (const { file, partition } of removed?.entries ?? []) {
      if (file === null || added.some((entry) => entry.file === file)) continue;
      const retired = { source, partition, file, retiredAtMs: removed?.atMs as number };
      await this.forgetRetired([retired]);
      this.#retired.push(retired);
    }
    if (positions === undefined) return;
    this.#positions.set(`${source} ${positions.partition}`, positions.bytes);
  }

  async retired(): Promise<RetiredFile[]> {
    return [...this.#retired];
  }

  async forgetRetired(files: readonly RetiredFile[]): Promise<void> {
    this.#retired = this.#retired.filter(
      (retired) =>
        !files.some(({ file, source }) => file === retired.file && source === retired.source),
    );
  }

  positions(source: string, partition: number): Uint8Array | undefined {
    return this.#positions.get(`${source} ${partition}`);
  }
}

function placeOf({ partition, startOffset, rewrite }: SegmentEntry): string {
  return `${partition} ${startOffset} ${rewrite?.part ?? 0}`;
}
