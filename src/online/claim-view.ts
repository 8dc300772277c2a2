import { type FeatureView, stateFingerprint } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { StateStore } from '../state/index.ts';

/**
 * The id of a view's state, new where there is none.
 * @throws FreshetError VIEW_STATE_OUTDATED when what is stored was built from another definition
 */
export async function claimView(options: {
  readonly state: StateStore;
  readonly view: FeatureView;
  readonly stateName?: string;
}): Promise<number> {
  const { state, view, stateName = view.name } = options;
  const viewId = await state.dictionary.ensureView(stateName);
  if (state.dictionary.stateFingerprint(viewId) === undefined) {
    await state.dictionary.setStateFingerprint(viewId, stateFingerprint(view));
  }
  requireCurrent(state, view, viewId);
  return viewId;
}

/** @throws FreshetError VIEW_STATE_OUTDATED */
export function requireCurrent(state: StateStore, view: FeatureView, viewId: number): void {
  const stored = state.dictionary.stateFingerprint(viewId);
  if (stored === undefined || stored === stateFingerprint(view)) return;
  throw new FreshetError(
    'VIEW_STATE_OUTDATED',
    `what is stored of view "${view.name}" was built from another definition of it`,
    { where: { view: view.name } },
  );
}
