export type { Dictionary, StoredLayout } from './dictionary.ts';
export { type EntityKeyCodec, entityKeyCodec, type MapKey, type RowKeyer } from './entity-key.ts';
export { type HomeFinder, type HomeState, type Homes, homeFinder } from './homes.ts';
export {
  entityKeyOf,
  entityStateKey,
  numberedKey,
  numberOfKey,
  prefixRange,
  SPACE,
  stateKey,
  type TilesGroup,
  tilesGroupOf,
  tilesKey,
  tilesPlaceOf,
  timerKey,
  timerOf,
} from './key-schema.ts';
export {
  deleteAllState,
  deletePartitionOfView,
  deleteViewState,
  openStateStore,
  type StateStore,
  statePartitions,
  viewRange,
} from './state-store.ts';
