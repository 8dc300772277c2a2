/** Confluent's HTTP interface, as far as producers, consumers and we use it, without the HTTP. */
import type { RegisteredSchema } from '../../src/codec/index.ts';
import { FreshetError } from '../../src/errors.ts';
import { COMPATIBILITY_LEVELS, isCompatibilityLevel } from './compatibility.ts';
import type { EmbeddedSchemaRegistry } from './embedded-schema-registry.ts';

export interface RegistryRequest {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A refusal with its HTTP status and Confluent's error code. */
export class RegistryFault extends Error {
  override readonly name = 'RegistryFault';
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** @throws RegistryFault */
export async function answerRequest(
  registry: EmbeddedSchemaRegistry,
  request: RegistryRequest,
): Promise<unknown> {
  const { method, path } = request;
  for (const route of ROUTES) {
    const names = matchRoute(route, method, path);
    if (names !== null) return route.answer(registry, names, request);
  }
  throw new RegistryFault(404, 404, `${method} /${path.join('/')} is not served here`);
}

interface Route {
  readonly method: string;
  /** Parts of the path; `:name` stands for any. */
  readonly parts: readonly string[];
  readonly answer: Answer;
}

type Names = Readonly<Record<string, string>>;
type Answer = (registry: EmbeddedSchemaRegistry, names: Names, request: RegistryRequest) => unknown;

const ROUTES: readonly Route[] = [
  route('GET', '', () => ({})),
  route('GET', 'subjects', (registry) => registry.subjects()),
  route('POST', 'subjects/:subject/versions', register),
  route('POST', 'subjects/:subject', lookUp),
  route('DELETE', 'subjects/:subject', deleteSubject),
  route('GET', 'subjects/:subject/versions', (registry, { subject }) =>
    versionsOf(registry, subject as string).map(({ version }) => version),
  ),
  route('GET', 'subjects/:subject/versions/:version', (registry, { subject, version }) => ({
    subject,
    ...versionOf(registry, subject as string, version as string),
  })),
  route('GET', 'schemas/types', () => ['AVRO']),
  route('GET', 'schemas/ids/:id', schemaById),
  route('POST', 'compatibility/subjects/:subject/versions/:version', checkCompatibility),
  route('GET', 'config', (registry) => ({ compatibilityLevel: registry.compatibility })),
  route('GET', 'config/:subject', compatibilityOf),
  route('PUT', 'config', setCompatibility),
  route('PUT', 'config/:subject', setCompatibility),
];

function route(method: string, path: string, answer: Answer): Route {
  return { method, parts: path === '' ? [] : path.split('/'), answer };
}

function matchRoute(route: Route, method: string, path: readonly string[]): Names | null {
  if (route.method !== method || route.parts.length !== path.length) return null;
  const names: Record<string, string> = {};
  for (const [i, part] of route.parts.entries()) {
    if (part.startsWith(':')) names[part.slice(1)] = path[i] as string;
    else if (part !== path[i]) return null;
  }
  return names;
}

async function register(
  registry: EmbeddedSchemaRegistry,
  { subject }: Names,
  { body }: RegistryRequest,
): Promise<unknown> {
  const schema = schemaIn(body);
  guarded(() => registry.find(subject as string, schema));
  try {
    return { id: await registry.register(subject as string, schema) };
  } catch (thrown) {
    throw isRefusal(thrown) ? new RegistryFault(409, 409, thrown.message) : thrown;
  }
}

function lookUp(
  registry: EmbeddedSchemaRegistry,
  { subject }: Names,
  { body }: RegistryRequest,
): unknown {
  versionsOf(registry, subject as string);
  const schema = schemaIn(body);
  const found = guarded(() => registry.find(subject as string, schema));
  if (found === null) throw new RegistryFault(404, 40403, 'Schema not found');
  return { subject, ...found };
}

async function deleteSubject(
  registry: EmbeddedSchemaRegistry,
  { subject }: Names,
): Promise<number[]> {
  const versions = versionsOf(registry, subject as string).map(({ version }) => version);
  await registry.deleteSubject(subject as string);
  return versions;
}

async function schemaById(registry: EmbeddedSchemaRegistry, { id }: Names): Promise<unknown> {
  const schema = await registry.schemaById(Number(id));
  if (schema === null) throw new RegistryFault(404, 40403, `Schema ${id} not found`);
  return { schema };
}

function checkCompatibility(
  registry: EmbeddedSchemaRegistry,
  { subject, version }: Names,
  { body, query }: RegistryRequest,
): unknown {
  const earlier = versionOf(registry, subject as string, version as string);
  const messages = guarded(() => registry.faults(subject as string, schemaIn(body), [earlier]));
  const isVerbose = query.get('verbose') === 'true';
  return { is_compatible: messages.length === 0, ...(isVerbose && { messages }) };
}

function compatibilityOf(
  registry: EmbeddedSchemaRegistry,
  { subject }: Names,
  { query }: RegistryRequest,
): unknown {
  const own = registry.compatibilityOf(subject as string);
  if (own !== null) return { compatibilityLevel: own };
  if (query.get('defaultToGlobal') === 'true')
    return { compatibilityLevel: registry.compatibility };
  const what = `Subject '${subject}' does not have subject-level compatibility configured`;
  throw new RegistryFault(404, 40408, what);
}

async function setCompatibility(
  registry: EmbeddedSchemaRegistry,
  { subject }: Names,
  { body }: RegistryRequest,
): Promise<unknown> {
  const { compatibility } = body;
  if (!isCompatibilityLevel(compatibility)) {
    const what = `Invalid compatibility level; it is one of ${COMPATIBILITY_LEVELS.join(', ')}`;
    throw new RegistryFault(422, 42203, what);
  }
  await registry.setCompatibility(compatibility, subject);
  return { compatibility };
}

function versionsOf(registry: EmbeddedSchemaRegistry, subject: string): RegisteredSchema[] {
  const versions = registry.versions(subject);
  if (versions.length > 0) return versions;
  throw new RegistryFault(404, 40401, `Subject '${subject}' not found.`);
}

function versionOf(
  registry: EmbeddedSchemaRegistry,
  subject: string,
  version: string,
): RegisteredSchema {
  const versions = versionsOf(registry, subject);
  if (version === 'latest' || version === '-1') return versions.at(-1) as RegisteredSchema;
  const number = Number(version);
  if (!Number.isSafeInteger(number) || number < 1) {
    const what = `The specified version '${version}' is not a valid version id`;
    throw new RegistryFault(422, 42202, what);
  }
  const found = versions[number - 1];
  if (found === undefined) throw new RegistryFault(404, 40402, `Version ${version} not found.`);
  return found;
}

function schemaIn(body: Readonly<Record<string, unknown>>): string {
  const { schema, schemaType = 'AVRO', references } = body;
  if (typeof schema !== 'string') throw new RegistryFault(422, 42201, 'Empty schema');
  if (schemaType !== 'AVRO') {
    throw new RegistryFault(422, 42201, `Schemas of type ${schemaType} are not kept here`);
  }
  if (Array.isArray(references) && references.length > 0) {
    throw new RegistryFault(422, 42201, 'Schemas with references are not kept here');
  }
  return schema;
}

function guarded<T>(action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    throw isRefusal(thrown) ? new RegistryFault(422, 42201, thrown.message) : thrown;
  }
}

function isRefusal(thrown: unknown): thrown is FreshetError {
  return thrown instanceof FreshetError && thrown.code === 'SCHEMA_REGISTRY_REFUSED';
}
