/** Runs tasks one after another. */
export type Queue = <T>(task: () => Promise<T>) => Promise<T>;

/** A queue of one. What fails does not stop what waits. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task, task);
    last = run.catch(() => undefined);
    return run;
  };
}
