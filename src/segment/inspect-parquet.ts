import type { FieldType } from '../core/field-type.ts';
import {
  type DuckdbConnection,
  quoteIdentifier,
  quoteLiteral,
  type SqlRow,
  sqlToFieldType,
} from '../duckdb/index.ts';

/** What a Parquet file says about itself, for people. */
export interface ParquetDescription {
  readonly file: string;
  readonly createdBy: string;
  readonly rowCount: number;
  readonly rowGroupCount: number;
  readonly bytes: number;
  readonly columns: readonly ParquetColumn[];
  /** Key-value metadata of the footer. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ParquetColumn {
  readonly name: string;
  readonly sqlType: string;
  /** The field type that holds the column exactly; null when there is none. */
  readonly fieldType: FieldType | null;
  /** As text; null where there is no value. */
  readonly min: string | null;
  readonly max: string | null;
  readonly nullCount: number;
  readonly compressedBytes: number;
}

/** @throws FreshetError PARQUET_INVALID */
export async function inspectParquet(
  duckdb: DuckdbConnection,
  file: string,
): Promise<ParquetDescription> {
  const path = quoteLiteral(file);
  const [summary] = await duckdb.query(
    `SELECT created_by, num_rows, num_row_groups, file_size_bytes FROM parquet_file_metadata(${path})`,
  );
  return {
    file,
    createdBy: String(summary?.['created_by'] ?? 'unknown'),
    rowCount: Number(summary?.['num_rows']),
    rowGroupCount: Number(summary?.['num_row_groups']),
    bytes: Number(summary?.['file_size_bytes']),
    columns: await inspectColumns(duckdb, path),
    metadata: Object.fromEntries(await readFooter(duckdb, file)),
  };
}

/** The first rows of a file, as they lie there. */
export function sampleRows(
  duckdb: DuckdbConnection,
  file: string,
  rowsMax: number,
): Promise<SqlRow[]> {
  return duckdb.query(`SELECT * FROM read_parquet(${quoteLiteral(file)}) LIMIT ${rowsMax}`);
}

/** Key-value metadata of a Parquet file. */
export async function readFooter(
  duckdb: DuckdbConnection,
  file: string,
): Promise<Map<string, string>> {
  const rows = await duckdb.query(
    `SELECT decode(key) AS key, coalesce(try(decode(value)), '(binary)') AS value FROM parquet_kv_metadata(${quoteLiteral(file)})`,
  );
  return new Map(rows.map((row) => [row['key'] as string, row['value'] as string]));
}

async function inspectColumns(duckdb: DuckdbConnection, path: string): Promise<ParquetColumn[]> {
  const described = await duckdb.query(`DESCRIBE SELECT * FROM read_parquet(${path})`);
  const sizes = await duckdb.query(
    `SELECT split_part(path_in_schema, ', ', 1) AS name, sum(total_compressed_size)::BIGINT AS bytes
     FROM parquet_metadata(${path}) GROUP BY 1`,
  );
  const bytesByName = new Map(sizes.map((row) => [row['name'], Number(row['bytes'])]));
  const names = described.map((row) => row['column_name'] as string);
  const bounds = await columnBounds(duckdb, path, names);
  return described.map((row, c) => {
    const sqlType = row['column_type'] as string;
    return {
      name: names[c] as string,
      sqlType,
      fieldType: sqlToFieldType(sqlType),
      min: bounds[`min${c}`] as string | null,
      max: bounds[`max${c}`] as string | null,
      nullCount: Number(bounds[`nulls${c}`]),
      compressedBytes: bytesByName.get(names[c] as string) ?? 0,
    };
  });
}

/** From the values, not the statistics: those are text, cut short, and absent for arrays. */
async function columnBounds(
  duckdb: DuckdbConnection,
  path: string,
  names: readonly string[],
): Promise<SqlRow> {
  const bounds = names.map((name, c) => {
    const column = quoteIdentifier(name);
    return (
      `min(${column})::VARCHAR AS min${c}, max(${column})::VARCHAR AS max${c}, ` +
      `count(*) - count(${column}) AS nulls${c}`
    );
  });
  const [row] = await duckdb.query(`SELECT ${bounds.join(', ')} FROM read_parquet(${path})`);
  return row ?? {};
}
