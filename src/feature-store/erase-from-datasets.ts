import type { FieldType, FieldValue } from '../core/field-type.ts';
import type { Catalog, Entity } from '../definition/index.ts';
import { fieldLiteral, fieldTypeToSql, quoteIdentifier } from '../duckdb/index.ts';
import { FreshetError } from '../errors.ts';
import { planFeatures } from '../transform/index.ts';
import type { DatasetReceipt, SavedDatasets } from './saved-datasets.ts';

export interface DatasetErasure {
  readonly dataset: string;
  readonly rows: number;
}

interface ErasedEntity {
  readonly entity: Entity;
  readonly keyValues: Readonly<Record<string, FieldValue>>;
  readonly dryRun: boolean;
}

/**
 * Takes the labels of an entity out of saved datasets; all other rows keep their values. Which columns
 * are its keys is told by what the dataset asked for: a view may be joined on others.
 */
export async function eraseFromDatasets(
  datasets: SavedDatasets,
  catalog: Catalog,
  { entity, keyValues, dryRun }: ErasedEntity,
): Promise<DatasetErasure[]> {
  if (!dryRun) await datasets.removeUnfinished();
  const found: DatasetErasure[] = [];
  for (const receipt of await datasets.list()) {
    const matches = keyColumns(catalog, receipt, entity).map((columns) =>
      matchSql(entity, columns, keyValues),
    );
    if (matches.length === 0) continue;
    const rows = await datasets.eraseRows(receipt.name, matches.join(' OR '), { dryRun });
    if (rows > 0) found.push({ dataset: receipt.name, rows });
  }
  return found;
}

/** For each use of the entity, the column of each join key. */
function keyColumns(
  catalog: Catalog,
  { request, labelColumns }: DatasetReceipt,
  { name, joinKeys }: Entity,
): ReadonlyMap<string, string>[] {
  const keys = Object.keys(joinKeys);
  try {
    const { reads } = planFeatures(catalog, request);
    return reads
      .filter(({ view }) => view.entities.some((entity) => entity.name === name))
      .map((read) => new Map(read.keys.map(({ key, column }) => [key, column])));
  } catch (thrown) {
    // Its features are gone from the definitions: what is called as a join key is taken for one.
    if (!(thrown instanceof FreshetError)) throw thrown;
    const areThere = keys.every((key) => labelColumns.includes(key));
    return areThere ? [new Map(keys.map((key) => [key, key]))] : [];
  }
}

function matchSql(
  { joinKeys }: Entity,
  columns: ReadonlyMap<string, string>,
  keyValues: Readonly<Record<string, FieldValue>>,
): string {
  const conditions = Object.entries(joinKeys).map(([key, type]) => {
    const literal = fieldLiteral(type as FieldType, keyValues[key] as FieldValue);
    const sqlType = fieldTypeToSql(type as FieldType);
    const column = quoteIdentifier(columns.get(key) ?? key);
    return `TRY_CAST(${column} AS ${sqlType}) = CAST(${literal} AS ${sqlType})`;
  });
  return `(${conditions.join(' AND ')})`;
}
