import type { DefinitionRecord } from '../definition/index.ts';
import type { ViewState } from './view-state.ts';

export const REGISTRY_FORMAT = 1;

/** Everything the registry knows. */
export interface RegistryState {
  readonly format: number;
  readonly project: string;
  /** Rises with each change. */
  readonly revision: number;
  readonly updatedAtMs: number;
  readonly definitions: readonly DefinitionRecord[];
  /** How far each view has come, by its name. */
  readonly views: Readonly<Record<string, ViewState>>;
  /**
   * By topic, the offset of each partition below which rows are in files: an engine that knows nothing
   * of the partition begins there. It outlives the online store, which would read them again.
   */
  readonly handovers: Readonly<Record<string, readonly number[]>>;
  /** Topics and schema subjects that `apply` made, for `teardown`. */
  readonly topics: readonly string[];
  readonly subjects: readonly string[];
}

export function emptyRegistry(project: string): RegistryState {
  return {
    format: REGISTRY_FORMAT,
    project,
    revision: 0,
    updatedAtMs: 0,
    definitions: [],
    views: {},
    handovers: {},
    topics: [],
    subjects: [],
  };
}
