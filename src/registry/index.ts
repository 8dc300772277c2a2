export {
  type ApplyOptions,
  type ApplyPorts,
  applyCatalog,
  planApply,
  recordsOf,
  teardown,
} from './apply.ts';
export { type DefinitionName, type LineageEdge, lineage } from './lineage.ts';
export { whileMaterializing } from './materializing.ts';
export { type Change, diffProperties, type PropertyChange, planChanges } from './plan-changes.ts';
export { RegistryFile, type RegistryFileOptions } from './registry-file.ts';
export type { RegistryState } from './registry-state.ts';
export { canTransition, type ViewState } from './view-state.ts';
