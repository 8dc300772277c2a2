/** Ways into a running engine: its tasks and its log, with something before, behind or instead. */
import type { GroupMembership, Log, LogReader, TopicPartition } from '../../src/log/index.ts';
import type { PartitionTask } from '../../src/pipeline/index.ts';
import type { Bench, Running } from './bench.ts';

/** An opener of tasks whose `process` goes through `around`. */
export function tasksAround(
  bench: Bench,
  running: Running,
  around: (
    tp: TopicPartition,
    work: () => ReturnType<PartitionTask['process']>,
  ) => ReturnType<PartitionTask['process']>,
) {
  const opened: TopicPartition[] = [];
  const openTask = async (tp: TopicPartition): Promise<PartitionTask> => {
    opened.push(tp);
    const task = await bench.task(running, tp);
    const process = task.process.bind(task);
    task.process = (batch) => around(tp, () => process(batch));
    return task;
  };
  return { opened, openTask };
}

/** The log with some methods of its group readers replaced. */
export function withReader(
  log: Log,
  replace: (reader: LogReader, membership: GroupMembership) => Partial<LogReader>,
): Log {
  return over(log, {
    join: async (membership) => {
      const reader = await log.join(membership);
      return over(reader, replace(reader, membership));
    },
  });
}

/** The object with some of its methods replaced. */
export function over<T extends object>(real: T, replaced: Partial<T>): T {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown =
        name in replaced ? replaced[name as keyof T] : Reflect.get(target, name, target);
      return typeof value === 'function' && !(name in replaced) ? value.bind(target) : value;
    },
  });
}
