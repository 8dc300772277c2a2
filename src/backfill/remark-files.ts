import { KvBatch } from '../kv/index.ts';
import { deletePartitionOfView, type StateStore } from '../state/index.ts';
import { type BackfillPlace, putBackfill, readBackfill } from './backfill-record.ts';
import type { PartMarks } from './empty-parts.ts';
import { beginAgain } from './plan-backfill.ts';

/**
 * Tells a view that parts were written anew without some rows: they are not to be read again. The rows of a part that are left keep their order, and that is all
 * that their places are for; but a run that was stopped at a place in them begins again, and so
 * forgets the key that it had noted. Durable once resolved.
 */
export async function remarkFiles(
  state: StateStore,
  place: BackfillPlace,
  marks: PartMarks,
): Promise<void> {
  const record = await readBackfill(state, place);
  const isMarked = Object.keys(record.files).some((path) => marks.has(path));
  const isStopped = record.slice !== undefined || record.adding !== undefined;
  if (!isMarked && !isStopped) return;
  const batch = new KvBatch();
  if (isStopped) {
    deletePartitionOfView({ sourceId: place.sourceId, partition: 0 }, place.viewId, batch);
    putBackfill(batch, place, beginAgain(record));
  } else {
    const files = Object.entries(record.files).map(([path, mark]) => {
      const changed = marks.get(path);
      return [path, changed?.before === mark ? changed.after : mark] as const;
    });
    putBackfill(batch, place, { ...record, files: Object.fromEntries(files) });
  }
  await state.kv.write(batch, { sync: true });
}
