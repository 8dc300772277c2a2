import { createRowUpserter, type RowUpserter, type RowUpserterOptions } from './row-upserter.ts';
import { createWindowUpserter } from './window-upserter.ts';

/** One upserter a view and partition, of newest rows or of windows. Gives the view its id when it is new. */
export function createUpserter(options: RowUpserterOptions): Promise<RowUpserter> {
  const create = options.view.windowing === null ? createRowUpserter : createWindowUpserter;
  return create(options);
}
