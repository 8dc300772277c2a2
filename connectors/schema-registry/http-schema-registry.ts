import {
  avroIncompatibilities,
  type RegisteredSchema,
  type SchemaRegistry,
} from '../../src/codec/index.ts';
import { FreshetError } from '../../src/errors.ts';

export interface HttpSchemaRegistryOptions {
  /** Such as http://127.0.0.1:8081; a path, as Apicurio has, is kept. */
  readonly url: string;
  /** Sent with each request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 10,000. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';

/**
 * A registry with Confluent's HTTP interface. Schemas by id never change and are kept.
 * @throws FreshetError SCHEMA_REGISTRY_UNAVAILABLE when it does not answer or fails,
 *   SCHEMA_REGISTRY_REFUSED when it refuses the request
 */
export function createHttpSchemaRegistry(options: HttpSchemaRegistryOptions): SchemaRegistry {
  const call = caller(options);
  const schemas = new Map<number, string>();
  const pathOf = (subject: string): string => `/subjects/${encodeURIComponent(subject)}`;
  return {
    async register(subject, schema) {
      const answer = await call<{ id: number }>('POST', `${pathOf(subject)}/versions`, { schema });
      if (answer !== null) return answer.id;
      throw refused(options.url, `subject "${subject}" was not found`);
    },

    async schemaById(id) {
      const known = schemas.get(id);
      if (known !== undefined) return known;
      const answer = await call<{ schema: string }>('GET', `/schemas/ids/${id}`);
      if (answer === null) return null;
      schemas.set(id, answer.schema);
      return answer.schema;
    },

    async latest(subject) {
      const answer = await call<RegisteredSchema>('GET', `${pathOf(subject)}/versions/latest`);
      if (answer === null) return null;
      const { id, version, schema } = answer;
      return { id, version, schema };
    },

    async incompatibilities(subject, schema) {
      const path = `/compatibility${pathOf(subject)}/versions/latest?verbose=true`;
      const answer = await call<CompatibilityAnswer>('POST', path, { schema });
      if (answer === null || answer.is_compatible) return [];
      if (answer.messages?.length) return answer.messages;
      const latest = await this.latest(subject);
      const ours = latest === null ? [] : avroIncompatibilities(schema, latest.schema);
      return ours.length > 0 ? ours : ['the registry gives no reason'];
    },

    async deleteSubject(subject) {
      await call('DELETE', pathOf(subject));
    },

    async close() {
      schemas.clear();
    },
  };
}

interface CompatibilityAnswer {
  readonly is_compatible: boolean;
  readonly messages?: string[];
}

/** Null for what is not found. */
type Call = <T>(method: string, path: string, body?: unknown) => Promise<T | null>;

function caller(options: HttpSchemaRegistryOptions): Call {
  const base = options.url.replace(/\/+$/, '');
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  return async <T>(method: string, path: string, body?: unknown): Promise<T | null> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${base}${path}`, {
        method,
        headers: { accept: CONTENT_TYPE, 'content-type': CONTENT_TYPE, ...options.headers },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (thrown) {
      throw unavailable(base, reasonOf(thrown), thrown);
    }
    if (response.status === 404) return null;
    if (response.ok) return parseAnswer<T>(base, text);
    const what = `${method} ${path} was answered ${response.status}: ${messageOf(text)}`;
    const isPassing = response.status >= 500 || response.status === 429 || response.status === 408;
    throw isPassing ? unavailable(base, what) : refused(base, what);
  };
}

function parseAnswer<T>(base: string, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (thrown) {
    throw unavailable(base, `the answer is not JSON: ${text.slice(0, 80)}`, thrown);
  }
}

function messageOf(text: string): string {
  try {
    return String((JSON.parse(text) as { message?: unknown }).message ?? text);
  } catch {
    // Whatever stands before the registry answers in its own words.
    return text.slice(0, 200);
  }
}

/** `fetch` says only «fetch failed»; the reason is its cause. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

function unavailable(url: string, what: string, cause?: unknown): FreshetError {
  return new FreshetError('SCHEMA_REGISTRY_UNAVAILABLE', `schema registry ${url}: ${what}`, {
    cause,
  });
}

function refused(url: string, what: string): FreshetError {
  return new FreshetError('SCHEMA_REGISTRY_REFUSED', `schema registry ${url}: ${what}`);
}
