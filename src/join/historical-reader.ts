import type { Clock } from '../core/clock.ts';
import type { FileSystem } from '../core/fs.ts';
import type { Catalog, EntityRowOf, Readable, UntypedFeatureVector } from '../definition/index.ts';
import type { Duckdb } from '../duckdb/index.ts';
import { nodeFileSystem } from '../segment/index.ts';
import { HistoricalFeatures } from './historical-features.ts';
import { prepareJob } from './historical-job.ts';
import type {
  AnyHistoricalRequest,
  HistoricalRequest,
  HistoricalRow,
  NamedHistoricalRequest,
} from './historical-request.ts';
import type { RowsOf } from './view-rows.ts';

export interface HistoricalReaderOptions {
  /** Bounds memory and names the folder for what does not fit. */
  readonly duckdb: Duckdb;
  readonly catalog: Catalog;
  readonly rowsOf: RowsOf;
  /** «Now», where a range of time has no end. */
  readonly clock: Clock;
  /** Called when a request begins to look at files; what it answers with, when it needs them no more. */
  readonly beginRead?: () => () => void;
  /** Default: the disk. */
  readonly fs?: FileSystem;
}

/** Features of the past: for each entity row the values that were the newest at its time. */
export interface HistoricalReader {
  /**
   * Loads the entity rows and plans; the join itself runs at the first read of the answer.
   * @throws FreshetError as `planFeatures`, `loadRows` and `loadQuery` say; VIEW_NOT_OFFLINE,
   * INVALID_ARGUMENT, and COLUMN_MISSING for a source without a declared column
   */
  getHistoricalFeatures<
    const R extends Readable,
    const FullNames extends boolean = false,
    E extends EntityRowOf<R> = EntityRowOf<R>,
  >(
    request: HistoricalRequest<R, FullNames, E>,
  ): Promise<HistoricalFeatures<HistoricalRow<R, FullNames, E>>>;
  getHistoricalFeatures(
    request: NamedHistoricalRequest,
  ): Promise<HistoricalFeatures<UntypedFeatureVector>>;
}

/** One reader serves any number of requests at a time; each has its own connection and tables. */
export function createHistoricalReader(options: HistoricalReaderOptions): HistoricalReader {
  const { duckdb, fs = nodeFileSystem } = options;
  const read = async (request: AnyHistoricalRequest): Promise<HistoricalFeatures<never>> => {
    const job = await prepareJob(options, request, nextPrefix(duckdb));
    return new HistoricalFeatures(job, duckdb, fs);
  };
  return { getHistoricalFeatures: read as HistoricalReader['getHistoricalFeatures'] };
}

/** Readers of one database share its tables, so they must share the count that names them. */
const requestCounts = new WeakMap<Duckdb, number>();

function nextPrefix(duckdb: Duckdb): string {
  const count = requestCounts.get(duckdb) ?? 0;
  requestCounts.set(duckdb, count + 1);
  return `join_${count}`;
}
