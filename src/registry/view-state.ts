/** How far a view has come, in Feast's words and with Feast's transitions. */
export type ViewState =
  | 'STATE_UNSPECIFIED'
  | 'CREATED'
  | 'GENERATED'
  | 'MATERIALIZING'
  | 'AVAILABLE_ONLINE';

const NEXT: Readonly<Record<ViewState, readonly ViewState[]>> = {
  STATE_UNSPECIFIED: ['CREATED'],
  CREATED: ['GENERATED'],
  GENERATED: ['MATERIALIZING'],
  MATERIALIZING: ['AVAILABLE_ONLINE', 'GENERATED'],
  AVAILABLE_ONLINE: ['MATERIALIZING'],
};

/** Whether a view may go from one state to another; `GENERATED` after `MATERIALIZING` is a failure. */
export function canTransition(from: ViewState, to: ViewState): boolean {
  return NEXT[from].includes(to);
}
