import type { FieldValue } from '../core/field-type.ts';
import type { SourceRank } from '../core/row-order.ts';
import { NO_CREATED_TIME_US } from '../core/row-order.ts';
import type { FeatureView } from '../definition/index.ts';
import {
  entityKeyCodec,
  entityKeyOf,
  SPACE,
  type StateStore,
  statePartitions,
  viewRange,
} from '../state/index.ts';
import { FEATURE_ABSENT, layoutIdOf, RowValueDecoder } from './row-value.ts';

/** One stored row, decoded for a person. Times in microseconds. */
export interface InspectedRow {
  readonly view: string;
  readonly source: string;
  readonly partition: number;
  readonly entityKey: Readonly<Record<string, FieldValue>>;
  /** Without the features that the row had no column for. */
  readonly features: Readonly<Record<string, FieldValue>>;
  readonly eventTimeUs: number;
  readonly createdTimeUs: number | null;
  readonly rank: SourceRank;
  readonly offset: number;
}

/** The stored rows of one view, by source, partition and entity key. */
export async function* inspectRows(
  state: StateStore,
  view: FeatureView,
): AsyncGenerator<InspectedRow> {
  const viewId = state.dictionary.viewId(view.name);
  if (viewId === undefined) return;
  const keys = entityKeyCodec(view.joinKeys);
  const sourceNames = new Map([...state.dictionary.sources].map(([name, id]) => [id, name]));
  for (const { sourceId, partition } of await statePartitions(state.kv)) {
    const source = sourceNames.get(sourceId) ?? `source ${sourceId}`;
    for await (const page of state.kv.scan(viewRange(sourceId, partition, SPACE.row, viewId))) {
      for (const [key, value] of page) {
        const entityValues = keys.decode(entityKeyOf(key));
        const entityKey = Object.fromEntries(keys.names.map((name, k) => [name, entityValues[k]!]));
        yield { view: view.name, source, partition, entityKey, ...inspectValue(state, value) };
      }
    }
  }
}

function inspectValue(
  state: StateStore,
  value: Uint8Array,
): Omit<InspectedRow, 'view' | 'source' | 'partition' | 'entityKey'> {
  const { names, types, ...layout } = state.dictionary.requireLayout(layoutIdOf(value));
  const row = new RowValueDecoder({ ...layout, names, types }, names, types).decode(value);
  const features: Record<string, FieldValue> = {};
  names.forEach((name, f) => {
    if (row.states[f] !== FEATURE_ABSENT) features[name] = row.values[f] as FieldValue;
  });
  const { eventTimeUs, rank, offset } = row;
  const createdTimeUs = row.createdTimeUs === NO_CREATED_TIME_US ? null : row.createdTimeUs;
  return { features, eventTimeUs, createdTimeUs, rank, offset };
}
