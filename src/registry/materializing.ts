import type { RegistryFile } from './registry-file.ts';
import { canTransition, type ViewState } from './view-state.ts';

/**
 * Runs a task that fills the online store: its views are MATERIALIZING meanwhile, AVAILABLE_ONLINE
 * behind it, and GENERATED when it fails. Views that are not applied have no state and get none.
 * @throws FreshetError as `RegistryFile.update`, and what the task throws
 */
export async function whileMaterializing<T>(
  registry: RegistryFile,
  views: readonly string[],
  task: () => Promise<T>,
): Promise<T> {
  await moveViews(registry, views, 'MATERIALIZING');
  let result: T;
  try {
    result = await task();
  } catch (thrown) {
    await moveViews(registry, views, 'GENERATED').catch(() => {}); // the task's error tells more
    throw thrown;
  }
  await moveViews(registry, views, 'AVAILABLE_ONLINE');
  return result;
}

/** A view that cannot make the step stays: another process has moved it since. */
async function moveViews(
  registry: RegistryFile,
  names: readonly string[],
  to: ViewState,
): Promise<void> {
  await registry.update((state) => {
    const moved = names.filter((name) => {
      const from = state.views[name];
      return from !== undefined && canTransition(from, to);
    });
    if (moved.length === 0) return state;
    return {
      ...state,
      views: { ...state.views, ...Object.fromEntries(moved.map((n) => [n, to])) },
    };
  });
}
