/** A broken invariant is a bug in Freshet, not a failure to handle: it has no code and must stop the task. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(what);
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
