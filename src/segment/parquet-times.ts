import type { ParquetSource } from '../definition/index.ts';
import { type DuckdbConnection, quoteLiteral } from '../duckdb/index.ts';

/** The event times of a file, microseconds. */
export interface FileTimes {
  readonly minUs: number;
  readonly maxUs: number;
}

/**
 * The event times of Parquet files by what their footers say, some tenth of a millisecond a file. A
 * file that does not say it of all its row groups, as INT96 never does, is not in the answer.
 * @throws FreshetError PARQUET_INVALID
 */
export async function parquetTimes(
  duckdb: DuckdbConnection,
  { columnMap, timestampField }: ParquetSource,
  files: readonly string[],
): Promise<ReadonlyMap<string, FileTimes>> {
  if (files.length === 0) return new Map();
  const column = quoteLiteral(columnMap[timestampField] ?? timestampField);
  // The text of a statistic: the session's time zone is UTC.
  const us = (statistic: string): string => `epoch_us(try_cast(${statistic} AS TIMESTAMPTZ))`;
  const found = await duckdb.query(
    `SELECT file_name AS file, min(${us('stats_min_value')})::DOUBLE AS oldest, max(${us('stats_max_value')})::DOUBLE AS newest
     FROM parquet_metadata([${files.map(quoteLiteral).join(', ')}]) WHERE path_in_schema = ${column} AND row_group_num_rows > 0
     GROUP BY file_name HAVING count(${us('stats_min_value')}) = count(*) AND count(${us('stats_max_value')}) = count(*)`,
  );
  return new Map(
    found.map(({ file, oldest, newest }) => [
      file as string,
      { minUs: Number(oldest), maxUs: Number(newest) },
    ]),
  );
}
