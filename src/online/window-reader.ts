import { ByteReader } from '../core/bytes.ts';
import type { FieldValue } from '../core/field-type.ts';
import type { Windowing } from '../definition/index.ts';
import { entityStateKey, SPACE, tilesKey } from '../state/index.ts';
import {
  blockOf,
  decodeBlock,
  decodeHead,
  decodeSessions,
  planWindows,
  readWindows,
  tilesRead,
  type WindowGroup,
  type WindowPlan,
} from '../window/index.ts';
import { SESSIONS_BLOCK } from './cached-entity.ts';
import { FEATURE_ABSENT, FEATURE_NULL, FEATURE_PRESENT } from './row-value.ts';
import { StoredWindows } from './stored-windows.ts';
import { UNKNOWN_PARTITION, ViewPlaces, type ViewPlacesOptions } from './view-places.ts';
import type { RowColumns, ViewFeatures, ViewReader } from './view-reader.ts';

/** One value to be read of one entity: in `stored[at]`. */
interface Lookup {
  readonly at: number;
  /** Null for the head. */
  readonly group: WindowGroup | null;
  readonly block: number;
}

interface EntityLookups {
  readonly lookups: readonly Lookup[];
  /** Where all of it is; UNKNOWN_PARTITION when it may be in several. */
  readonly partition: number;
}

/** Values of windows at the time of the read; reading writes nothing. */
export class WindowReader implements ViewReader {
  readonly #places: ViewPlaces;
  readonly #plan: WindowPlan;
  readonly #features: readonly string[];
  /** By group, slots that some feature reads. */
  readonly #wanted: readonly (readonly boolean[])[];

  constructor(options: ViewPlacesOptions, { view, features }: ViewFeatures, windowing: Windowing) {
    this.#places = new ViewPlaces(options, view);
    this.#plan = onlyFeatures(planWindows(view, windowing), features);
    this.#features = features;
    this.#wanted = this.#plan.groups.map((group) => wantedSlots(this.#plan, group));
  }

  get keyNames(): readonly string[] {
    return this.#places.keys.names;
  }

  prepare(
    entities: readonly (readonly FieldValue[])[],
    atUs: number,
    keys: Uint8Array[],
  ): (stored: readonly (Uint8Array | undefined)[]) => RowColumns {
    const blocks = blocksRead(this.#plan, atUs);
    const found = entities.map((values) => this.#lookups(values, blocks, keys));
    return (stored) => this.#columns(stored, found, atUs);
  }

  #lookups(
    values: readonly FieldValue[],
    blocks: readonly GroupBlock[],
    keys: Uint8Array[],
  ): EntityLookups {
    const lookups: Lookup[] = [];
    const labels: number[] = [];
    const { viewId } = this.#places;
    if (viewId !== undefined) this.#places.requireCurrent(viewId);
    if (viewId !== undefined && !values.includes(null)) {
      const entityKey = this.#places.keys.view(values);
      this.#places.find(viewId, values, ({ sourceId, partition, label }) => {
        labels.push(label);
        lookups.push({ at: keys.length, group: null, block: 0 });
        keys.push(entityStateKey(sourceId, partition, SPACE.head, viewId, entityKey));
        for (const { group, block } of blocks) {
          lookups.push({ at: keys.length, group, block });
          const place = { viewId, group: group.index };
          keys.push(tilesKey(sourceId, partition, place, block, entityKey));
        }
      });
    }
    const [only] = labels;
    return { lookups, partition: labels.length === 1 ? (only as number) : UNKNOWN_PARTITION };
  }

  #columns(
    stored: readonly (Uint8Array | undefined)[],
    entities: readonly EntityLookups[],
    atUs: number,
  ): RowColumns {
    const count = entities.length;
    const values = this.#features.map(() => new Array<FieldValue>(count).fill(null));
    const states = this.#features.map(() => new Uint8Array(count).fill(FEATURE_ABSENT));
    const eventTimesUs = new Float64Array(count).fill(Number.NaN);
    const effectiveAtUs = new Float64Array(count).fill(atUs);
    for (const [e, { lookups }] of entities.entries()) {
      const windows = this.#decode(stored, lookups);
      if (windows.head === null || windows.head.oldestUs > atUs) continue;
      const read = readWindows(this.#plan, windows, atUs);
      eventTimesUs[e] = Math.min(windows.head.newestUs, atUs);
      effectiveAtUs[e] = read.effectiveAtUs;
      for (const [f, feature] of this.#features.entries()) {
        const value = read.values.get(feature) ?? null;
        (values[f] as FieldValue[])[e] = value;
        (states[f] as Uint8Array)[e] = value === null ? FEATURE_NULL : FEATURE_PRESENT;
      }
    }
    const partitions = Int32Array.from(entities, ({ partition }) => partition);
    return { values, states, eventTimesUs, partitions, effectiveAtUs };
  }

  #decode(stored: readonly (Uint8Array | undefined)[], lookups: readonly Lookup[]): StoredWindows {
    const windows = new StoredWindows();
    for (const { at, group, block } of lookups) {
      const bytes = stored[at];
      if (bytes === undefined) continue;
      const input = new ByteReader(bytes);
      if (group === null) windows.addHead(decodeHead(input));
      else if (group.shape.kind === 'session') {
        windows.addSessions(group, group.shape.gapUs, decodeSessions(group, input));
      } else windows.addBlock(group, block, decodeBlock(group, input, this.#wanted[group.index]));
    }
    return windows;
  }
}

interface GroupBlock {
  readonly group: WindowGroup;
  readonly block: number;
}

/** The blocks that reads at a time touch, each once. */
function blocksRead(plan: WindowPlan, atUs: number): GroupBlock[] {
  const found = new Map<string, GroupBlock>();
  for (const read of plan.reads) {
    const { group } = read;
    if (group.shape.kind === 'session') {
      found.set(`${group.index}`, { group, block: SESSIONS_BLOCK });
      continue;
    }
    const { first, last } = tilesRead(read, atUs);
    for (let block = blockOf(first); block <= blockOf(last); block++) {
      found.set(`${group.index} ${block}`, { group, block });
    }
  }
  return [...found.values()];
}

function wantedSlots({ reads }: WindowPlan, group: WindowGroup): boolean[] {
  const slots = reads.filter((read) => read.group === group).flatMap(({ outputs }) => outputs);
  return group.slots.map((_, s) => slots.some(({ slot }) => slot === s));
}

/** The plan without the reads that give none of the features. */
function onlyFeatures(plan: WindowPlan, features: readonly string[]): WindowPlan {
  const reads = plan.reads
    .map((read) => ({
      ...read,
      outputs: read.outputs.filter(({ feature }) => features.includes(feature)),
    }))
    .filter(({ outputs }) => outputs.length > 0);
  return { ...plan, reads };
}
