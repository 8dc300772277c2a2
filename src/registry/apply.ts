/**
 * Applying: topics and schemas first, the registry last, so that a failure half-way leaves nothing
 * recorded that is not there. Every step finds what an earlier attempt has made.
 */
import { avroSchemaOf, subjectOf } from '../codec/index.ts';
import {
  type Catalog,
  type DefinitionRecord,
  definitionRecord,
  type TopicSource,
} from '../definition/index.ts';
import { FreshetError } from '../errors.ts';
import type { TopicSpec } from '../log/index.ts';
import { type Change, planChanges } from './plan-changes.ts';
import type { RegistryFile } from './registry-file.ts';
import type { RegistryState } from './registry-state.ts';
import type { ViewState } from './view-state.ts';

/** What applying needs of the world. */
export interface ApplyPorts {
  createTopic(spec: TopicSpec): Promise<{ readonly created: boolean }>;
  deleteTopic(topic: string): Promise<void>;
  /** Why a schema cannot follow the last one of its subject; empty when it can. */
  schemaIncompatibilities(subject: string, schema: string): Promise<string[]>;
  registerSchema(subject: string, schema: string): Promise<void>;
  deleteSubject(subject: string): Promise<void>;
  /** Removes what is stored of views that are deleted or that change incompatibly. */
  deleteViews(names: readonly string[]): Promise<void>;
  /** Removes all stored rows, all history, and how far topics were read. */
  deleteAll(): Promise<void>;
}

export interface ApplyOptions {
  /** Apply incompatible changes of views by deleting what is stored of them. Default false. */
  readonly force?: boolean;
  /** Topics beside those of the sources: the dead-letter topic. */
  readonly systemTopics?: readonly TopicSpec[];
}

/** What applying would do, without doing it. */
export async function planApply(registry: RegistryFile, catalog: Catalog): Promise<Change[]> {
  return planChanges((await registry.read()).definitions, recordsOf(catalog));
}

/**
 * Makes the registry, the topics and the schemas what the catalog says.
 * @throws FreshetError INCOMPATIBLE_CHANGE, SCHEMA_INCOMPATIBLE, TOPIC_MISMATCH, and those of the
 * registry and of the ports
 */
export async function applyCatalog(
  registry: RegistryFile,
  catalog: Catalog,
  ports: ApplyPorts,
  options: ApplyOptions = {},
): Promise<Change[]> {
  const { force = false, systemTopics = [] } = options;
  const desired = recordsOf(catalog);
  let changes: Change[] = [];
  await registry.update(async (state) => {
    changes = planChanges(state.definitions, desired);
    requireCompatible(changes, force);
    const sources = [...catalog.sources.values()].filter((s) => s.kind === 'topicSource');
    const schemas = schemasOf(sources);
    await requireReadable(schemas, ports);
    const topics = await makeTopics(sources, [...emissionTopics(catalog), ...systemTopics], ports);
    for (const { subject, schema } of schemas) await ports.registerSchema(subject, schema);
    const subjects = schemas.map(({ subject }) => subject);
    const gone = changes.filter(isStateGone).map(({ name }) => name);
    if (gone.length > 0) await ports.deleteViews(gone);
    const after = {
      ...state,
      definitions: desired,
      views: viewStates(state, desired, gone),
      topics: union(state.topics, topics),
      subjects: union(state.subjects, subjects),
    };
    return JSON.stringify(after) === JSON.stringify(state) ? state : after;
  });
  return changes;
}

/**
 * Removes what applying made, the topics with their records, and what was made of them: a topic that
 * is made again begins at offset 0, where a position that was left would pass its rows over.
 */
export function teardown(registry: RegistryFile, ports: ApplyPorts): Promise<RegistryState> {
  return registry.remove(async ({ topics, subjects }) => {
    await ports.deleteAll();
    for (const topic of topics) await ports.deleteTopic(topic);
    for (const subject of subjects) await ports.deleteSubject(subject);
  });
}

export function recordsOf(catalog: Catalog): DefinitionRecord[] {
  return [
    ...catalog.entities.values(),
    ...catalog.sources.values(),
    ...catalog.views.values(),
    ...catalog.onDemandViews.values(),
    ...catalog.services.values(),
  ].map(definitionRecord);
}

function requireCompatible(changes: readonly Change[], force: boolean): void {
  const broken = changes.filter(({ incompatible }) => incompatible.length > 0);
  const refused = force ? broken.filter(({ kind }) => kind !== 'featureView') : broken;
  const [first] = refused;
  if (first === undefined) return;
  const reasons = refused.map(({ kind, name, incompatible }) => {
    return `${kind} "${name}": ${incompatible.join('; ')}`;
  });
  throw new FreshetError('INCOMPATIBLE_CHANGE', reasons.join('. '), {
    next:
      first.kind === 'featureView'
        ? 'Give the changed view a new name, or apply with --force: its stored values are deleted, and `freshet replay --from earliest` rebuilds them.'
        : `Give the changed ${first.kind} a new name; --force cannot change what its history was written with.`,
  });
}

/** Results stay in the partition that their rows came from. */
function emissionTopics(catalog: Catalog): TopicSpec[] {
  return [...catalog.views.values()].flatMap(({ windowing, streamSource }) =>
    windowing?.emit && streamSource !== null
      ? [{ topic: windowing.emit.topic, partitions: streamSource.partitions }]
      : [],
  );
}

async function makeTopics(
  sources: readonly TopicSource[],
  systemTopics: readonly TopicSpec[],
  ports: ApplyPorts,
): Promise<string[]> {
  const made: string[] = [];
  const specs = sources.map(({ topic, partitions }): TopicSpec => ({ topic, partitions }));
  for (const spec of sources.length === 0 ? [] : [...specs, ...systemTopics]) {
    const { created } = await ports.createTopic(spec);
    if (created) made.push(spec.topic);
  }
  return made;
}

interface SourceSchema {
  readonly source: TopicSource;
  readonly subject: string;
  readonly schema: string;
}

function schemasOf(sources: readonly TopicSource[]): SourceSchema[] {
  return sources
    .filter(({ format }) => format === 'avro')
    .map((source) => ({ source, subject: subjectOf(source.topic), schema: avroSchemaOf(source) }));
}

/** All are checked before anything is made. */
async function requireReadable(schemas: readonly SourceSchema[], ports: ApplyPorts): Promise<void> {
  for (const { source, subject, schema } of schemas) {
    const reasons = await ports.schemaIncompatibilities(subject, schema);
    if (reasons.length === 0) continue;
    throw new FreshetError(
      'SCHEMA_INCOMPATIBLE',
      `the schema of source "${source.name}" cannot follow the one registered as ${subject}: ${reasons.join('; ')}`,
      { where: { source: source.name, topic: source.topic } },
    );
  }
}

function isStateGone({ transition, kind, incompatible }: Change): boolean {
  if (kind !== 'featureView') return false;
  return transition === 'DELETE' || incompatible.length > 0;
}

/** A view that stays keeps its state; one whose values were deleted begins anew. */
function viewStates(
  { views }: RegistryState,
  desired: readonly DefinitionRecord[],
  gone: readonly string[],
): Record<string, ViewState> {
  const names = desired.filter(({ kind }) => kind === 'featureView').map(({ name }) => name);
  return Object.fromEntries(
    names.map((name) => [name, gone.includes(name) ? 'GENERATED' : (views[name] ?? 'GENERATED')]),
  );
}

function union(known: readonly string[], added: readonly string[]): string[] {
  return [...new Set([...known, ...added])].sort();
}
