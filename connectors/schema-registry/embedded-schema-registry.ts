import {
  normalizeAvroSchema,
  type RegisteredSchema,
  type SchemaRegistry,
} from '../../src/codec/index.ts';
import { FreshetError } from '../../src/errors.ts';
import { type CompatibilityLevel, compatibilityFaults } from './compatibility.ts';
import { type RegistryState, readRegistryFile, writeRegistryFile } from './registry-file.ts';

/** The registry in this process, kept in one file; also what the server serves. */
export interface EmbeddedSchemaRegistry extends SchemaRegistry {
  subjects(): string[];
  /** Every version of a subject, oldest first; empty for an unknown one. */
  versions(subject: string): RegisteredSchema[];
  /** The version of the subject that has this schema. */
  find(subject: string, schema: string): RegisteredSchema | null;
  /** The subject's own level, or null where that of all subjects counts. */
  compatibilityOf(subject: string): CompatibilityLevel | null;
  readonly compatibility: CompatibilityLevel;
  /** Without a subject: of all that have no level of their own. */
  setCompatibility(level: CompatibilityLevel, subject?: string): Promise<void>;
  /** Why a schema may not follow these versions under the subject's level. */
  faults(subject: string, schema: string, earlier: readonly RegisteredSchema[]): string[];
}

/**
 * Opens or begins a registry. The file has one process: the embedded log's lock guards both.
 * @throws FreshetError REGISTRY_CORRUPT, REGISTRY_VERSION
 */
export async function openEmbeddedSchemaRegistry(options: {
  readonly path: string;
}): Promise<EmbeddedSchemaRegistry> {
  return new Registry(options.path, await readRegistryFile(options.path));
}

class Registry implements EmbeddedSchemaRegistry {
  readonly #path: string;
  #state: RegistryState;
  #idByNormal: ReadonlyMap<string, number>;
  /** Changes happen one after another; each is on disk before it is seen. */
  #changes: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(path: string, state: RegistryState) {
    this.#path = path;
    this.#state = state;
    this.#idByNormal = indexById(state);
  }

  register(subject: string, schema: string): Promise<number> {
    return this.#change(async () => {
      const found = this.find(subject, schema);
      if (found !== null) return found.id;
      const reasons = this.faults(subject, schema, this.versions(subject));
      if (reasons.length > 0) throw refused(subject, reasons.join('; '));
      const { schemas, subjects } = this.#state;
      const id = this.#idByNormal.get(normal(subject, schema)) ?? Object.keys(schemas).length + 1;
      await this.#save({
        ...this.#state,
        schemas: { ...schemas, [id]: schemas[id] ?? schema },
        subjects: { ...subjects, [subject]: [...this.#idsOf(subject), id] },
      });
      return id;
    });
  }

  async schemaById(id: number): Promise<string | null> {
    return this.#state.schemas[id] ?? null;
  }

  async latest(subject: string): Promise<RegisteredSchema | null> {
    return this.versions(subject).at(-1) ?? null;
  }

  async incompatibilities(subject: string, schema: string): Promise<string[]> {
    return this.faults(subject, schema, this.versions(subject));
  }

  deleteSubject(subject: string): Promise<void> {
    return this.#change(async () => {
      if (!Object.hasOwn(this.#state.subjects, subject)) return;
      // Schemas stay: rows in the log name their ids.
      const { [subject]: _, ...subjects } = this.#state.subjects;
      await this.#save({ ...this.#state, subjects });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#changes;
  }

  subjects(): string[] {
    return Object.keys(this.#state.subjects).sort();
  }

  versions(subject: string): RegisteredSchema[] {
    return this.#idsOf(subject).map((id, i) => ({
      id,
      version: i + 1,
      schema: this.#state.schemas[id] as string,
    }));
  }

  find(subject: string, schema: string): RegisteredSchema | null {
    const id = this.#idByNormal.get(normal(subject, schema));
    return this.versions(subject).find((version) => version.id === id) ?? null;
  }

  get compatibility(): CompatibilityLevel {
    return this.#state.compatibility.all;
  }

  compatibilityOf(subject: string): CompatibilityLevel | null {
    const { subjects } = this.#state.compatibility;
    return Object.hasOwn(subjects, subject) ? (subjects[subject] as CompatibilityLevel) : null;
  }

  setCompatibility(level: CompatibilityLevel, subject?: string): Promise<void> {
    return this.#change(async () => {
      const { compatibility } = this.#state;
      const changed =
        subject === undefined
          ? { ...compatibility, all: level }
          : { ...compatibility, subjects: { ...compatibility.subjects, [subject]: level } };
      await this.#save({ ...this.#state, compatibility: changed });
    });
  }

  faults(subject: string, schema: string, earlier: readonly RegisteredSchema[]): string[] {
    normal(subject, schema);
    const level = this.compatibilityOf(subject) ?? this.compatibility;
    return compatibilityFaults(
      level,
      schema,
      earlier.map((version) => version.schema),
    );
  }

  #idsOf(subject: string): readonly number[] {
    const { subjects } = this.#state;
    return Object.hasOwn(subjects, subject) ? (subjects[subject] as readonly number[]) : [];
  }

  #change<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      return Promise.reject(new FreshetError('STORE_CLOSED', 'the schema registry is closed'));
    }
    const done = this.#changes.then(action);
    // A change that failed has told its caller; the next one goes on.
    this.#changes = done.catch(() => undefined);
    return done;
  }

  async #save(state: RegistryState): Promise<void> {
    await writeRegistryFile(this.#path, state);
    this.#state = state;
    this.#idByNormal = indexById(state);
  }
}

function indexById(state: RegistryState): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(state.schemas).map(([id, schema]) => [normalizeAvroSchema(schema), Number(id)]),
  );
}

function normal(subject: string, schema: string): string {
  try {
    return normalizeAvroSchema(schema);
  } catch (thrown) {
    if (!(thrown instanceof FreshetError)) throw thrown;
    throw refused(subject, thrown.message, thrown);
  }
}

function refused(subject: string, what: string, cause?: unknown): FreshetError {
  return new FreshetError('SCHEMA_REGISTRY_REFUSED', `subject "${subject}": ${what}`, { cause });
}
