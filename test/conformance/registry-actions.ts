/** The actions of the registry cases, each through the public interface or that of the registry. */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ManualClock } from '../../src/core/clock.ts';
import {
  type Definition,
  definitionRecord,
  entity,
  featureView,
} from '../../src/definition/index.ts';
import { openDuckdb, quoteLiteral } from '../../src/duckdb/index.ts';
import { type FeatureStore, openFeatureStore } from '../../src/index.ts';
import {
  type Change,
  canTransition,
  diffProperties,
  planChanges,
  type ViewState,
} from '../../src/registry/index.ts';
import { buildObjects, type GivenObject } from './registry-fixture.ts';

export interface RegistryCase {
  readonly id: string;
  readonly given: Readonly<Record<string, unknown>>;
  readonly action: string;
  readonly expected: Readonly<Record<string, unknown>> & {
    readonly error?: string;
    readonly message_contains?: readonly string[];
  };
}

type Result = Readonly<Record<string, unknown>>;
type Action = (registryCase: RegistryCase, directory: string, args: string[]) => Promise<Result>;

/** Does what the case says. @throws Error for an action that is not known */
export async function perform(registryCase: RegistryCase, directory: string): Promise<Result> {
  for (const [pattern, action] of ACTIONS) {
    const match = pattern.exec(registryCase.action);
    if (match !== null) return action(registryCase, directory, match.slice(1));
  }
  throw new Error(`unknown action: ${registryCase.action}`);
}

const ACTIONS: readonly (readonly [RegExp, Action])[] = [
  [/^classify$/, classify],
  [/^diff$/, diff],
  [/^apply$/, applyObjects],
  [/^cli apply$/, applyByCommand],
  [/^delete_feature_view (\w+)$/, deleteFeatureView],
  [
    /^apply\(\[([\w, ]*)\], objects_to_delete=\[([\w, ]*)\], partial=(True|False)\)$/,
    applyWithDeletions,
  ],
  [/^can_transition$/, transition],
  [/^apply (\w+) with STATE_UNSPECIFIED$/, applyAgain],
  [/^create feature view with (?:both|all)$/, createView],
  [/^update_materialization_intervals$/, keepIntervals],
];

async function classify({ given }: RegistryCase): Promise<Result> {
  const existing = recordsOf(given['existing']);
  const desired = recordsOf(given['desired']);
  const changes = planChanges(existing, desired);
  const of = (...transitions: Change['transition'][]): Set<string> =>
    new Set(changes.filter((c) => transitions.includes(c.transition)).map(({ name }) => name));
  const matched = of('UPDATE', 'UNCHANGED');
  return {
    keep: existing.filter(({ name }) => matched.has(name)),
    update: desired.filter(({ name }) => matched.has(name)),
    delete: existing.filter(({ name }) => of('DELETE').has(name)),
    add: desired.filter(({ name }) => of('CREATE').has(name)),
  };
}

/** Our names of properties by Feast's, where they differ by more than their case. */
const PROPERTIES: Readonly<Record<string, string>> = {
  features: 'schema',
  ttl: 'ttlUs',
  // A function has its text and no name of its own.
  'feature_transformation.name': 'transform',
  'feature_transformation.body_text': 'transform',
};

/** The differences, under the names by which the case asks for them. */
async function diff({ given, expected }: RegistryCase): Promise<Result> {
  const [current] = recordsOf([given['current']]);
  const [declared] = recordsOf([given['new']]);
  if (current === undefined || declared === undefined) throw new Error('nothing to compare');
  const differences = diffProperties(current, declared);
  const asked = (expected['property_diffs'] ?? []) as { property: string }[];
  const named = asked.map(({ property }) => [property, ourName(property)] as const);
  const found = differences.flatMap((difference) => {
    const ours = difference.property.split('.')[0] as string;
    const theirs = named.filter(([, name]) => name === ours).map(([property]) => property);
    return (theirs.length === 0 ? [ours] : theirs).map((property) => ({ ...difference, property }));
  });
  return {
    transition: differences.length === 0 ? 'UNCHANGED' : 'UPDATE',
    property_diffs: found,
  };
}

function ourName(property: string): string {
  return PROPERTIES[property] ?? property.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
}

async function applyObjects({ given }: RegistryCase, directory: string): Promise<Result> {
  const applied = given['applied'];
  if (applied !== undefined) {
    await using store = await open(directory, buildObjects(objectsOf(applied)));
    await store.apply();
  }
  await using store = await open(directory, buildObjects(objectsOf(given['objects'])));
  const changes = await store.apply();
  return {
    transitions: Object.fromEntries(changes.map(({ name, transition }) => [name, transition])),
    ...(await contentOf(store)),
  };
}

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const FIXTURE = fileURLToPath(new URL('./registry-fixture.ts', import.meta.url));

async function applyByCommand({ given }: RegistryCase, directory: string): Promise<Result> {
  await writeFile(join(directory, 'freshet.yaml'), 'project: shop\n');
  await writeFile(
    join(directory, 'features.ts'),
    `import { buildObjects } from ${JSON.stringify(FIXTURE)};\n` +
      `export const objects = buildObjects(${JSON.stringify(given['objects'])});\n`,
  );
  const args = ['--import', 'tsx', MAIN, '-C', directory, 'apply'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { exit_code: code, exit_code_nonzero: code !== 0, output_contains: output };
}

async function deleteFeatureView(
  { given }: RegistryCase,
  directory: string,
  [name = '']: string[],
): Promise<Result> {
  const applied = objectsOf(given['applied'] ?? []);
  await using store = await open(directory, buildObjects(applied));
  await store.apply();
  await store.deleteFeatureView(name);
  return contentOf(store);
}

/** A repository is applied as a whole: what is to be deleted is not in it any more. */
async function applyWithDeletions(
  { given }: RegistryCase,
  directory: string,
  [added = '', deleted = '', partial]: string[],
): Promise<Result> {
  const applied = objectsOf(given['applied']);
  {
    await using store = await open(directory, buildObjects(applied));
    await store.apply();
  }
  const gone = partial === 'True' ? [] : namesOf(deleted);
  const known = [...applied, ...objectsOf(given['objects'] ?? [])];
  for (const name of [...namesOf(added), ...gone]) {
    if (!known.some((object) => object.name === name)) throw new Error(`no object ${name}`);
  }
  const rest = known.filter(({ name }) => !gone.includes(name));
  await using store = await open(directory, buildObjects(rest));
  await store.apply();
  return contentOf(store);
}

async function transition({ given, expected }: RegistryCase): Promise<Result> {
  const states = given['states'] as ViewState[];
  const pairs = states.flatMap((from) => states.map((to) => [from, to] as const));
  const rejected = (expected['rejected'] ?? []) as [ViewState, ViewState][];
  return {
    allowed: pairs.filter(([from, to]) => canTransition(from, to)),
    rejected: rejected.filter(([from, to]) => !canTransition(from, to)),
  };
}

async function applyAgain(
  { given }: RegistryCase,
  directory: string,
  [name = '']: string[],
): Promise<Result> {
  const applied = objectsOf(given['applied']);
  await using store = await open(directory, buildObjects(applied));
  await store.apply();
  await store.resources.registry.update((before) => ({
    ...before,
    views: Object.fromEntries(
      applied.flatMap((object) =>
        object.state === undefined ? [] : [[object.name, object.state as ViewState]],
      ),
    ),
  }));
  await using again = await open(directory, buildObjects(applied));
  await again.apply();
  return { state: (await again.registry()).views[name] };
}

async function createView({ given }: RegistryCase): Promise<Result> {
  const given_ = given['entities'] as { name: string; join_key: string }[];
  const entities = given_.map(({ name, join_key }) =>
    entity({ name, joinKeys: { [join_key]: 'int64' } }),
  );
  const [source] = buildObjects([{ type: 'file_source', name: 'history' }]);
  featureView({ name: 'view', entities, source: source as never, schema: { value: 'int32' } });
  return { created: true };
}

/** Intervals are kept with the rows: a definition that is made anew has those of what is stored. */
async function keepIntervals({ given }: RegistryCase, directory: string): Promise<Result> {
  if (given['stored_intervals'] !== 0) throw new Error('only a new definition takes intervals');
  const view: GivenObject = { type: 'feature_view', name: 'view' };
  await writeHistory(directory);
  await using store = await open(directory, buildObjects([view]));
  await store.apply();
  const before = await store.materializationIntervals('view');
  for (let day = 1; day <= (given['other'] as number); day++) {
    const date = `2025-01-${String(2 * day).padStart(2, '0')}`;
    await store.materialize({ startTime: `${date}T00:00:00Z`, endTime: `${date}T12:00:00Z` });
  }
  const stored = await store.materializationIntervals('view');
  await store.close();
  await using again = await open(directory, buildObjects([view]));
  await again.apply();
  const after = await again.materializationIntervals('view');
  return {
    empty_from_empty: before.length,
    empty_from_one: after.length,
    copied_equal: JSON.stringify(after) === JSON.stringify(stored),
  };
}

async function writeHistory(directory: string): Promise<void> {
  await using duckdb = await openDuckdb({ threads: 1 });
  const path = quoteLiteral(join(directory, 'history.parquet'));
  const row = `SELECT TIMESTAMP '2025-01-02' AS event_timestamp, 1::INTEGER AS value`;
  await duckdb.run(`COPY (${row}) TO ${path} (FORMAT parquet)`);
}

function open(directory: string, definitions: readonly Definition[]): Promise<FeatureStore> {
  const clock = new ManualClock(Date.parse('2025-01-15T12:00:00Z'));
  return openFeatureStore({ directory, definitions, clock, config: { project: 'shop' } });
}

/** What the registry has after an action, by name. */
async function contentOf(store: FeatureStore): Promise<Result> {
  const { definitions, views } = await store.registry();
  const of = (...kinds: Definition['kind'][]): string[] =>
    definitions.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);
  return {
    entities: of('entity'),
    data_sources: of('topicSource', 'parquetSource', 'requestSource'),
    feature_views: of('featureView'),
    on_demand_feature_views: of('onDemandFeatureView'),
    feature_services: of('featureService'),
    states: views,
    remaining: of('featureView', 'onDemandFeatureView').length,
  };
}

function recordsOf(given: unknown) {
  return buildObjects(objectsOf(given)).map(definitionRecord);
}

function objectsOf(given: unknown): GivenObject[] {
  if (!Array.isArray(given)) throw new Error(`no objects: ${JSON.stringify(given)}`);
  return given;
}

function namesOf(list: string): string[] {
  return list.split(/[ ,]+/).filter((name) => name !== '');
}
