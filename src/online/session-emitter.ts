/**
 * Results of sessions. A session is sent once no row can join it any more. Its entity may have no row
 * by then, so that a *timer* looks at it: each entity with a session that was not sent has one at the
 * time after which the first of them is final, or earlier. A row that goes on with the session leaves
 * the timer where it is; when its time has come, it is set again.
 */
import { ByteReader } from '../core/bytes.ts';
import type { KvBatch } from '../kv/index.ts';
import { type StateStore, tilesKey, timerKey, timerOf } from '../state/index.ts';
import { decodeSessions, finalAfterUs, type Session, type WindowGroup } from '../window/index.ts';
import { type CachedEntity, SESSIONS_BLOCK } from './cached-entity.ts';

/** Where the state of one view is, of the rows of one source. */
export interface SessionEmitterOptions {
  readonly state: StateStore;
  readonly viewId: number;
  readonly sourceId: number;
}

/** What a batch of one partition is about to send. */
export interface SessionBatch {
  readonly partition: number;
  /** Sessions final before this were sent. */
  readonly sentBeforeUs: number;
  /** Sessions final before this are sent now. */
  readonly closedUs: number;
  readonly withUpdates: boolean;
  readonly into: KvBatch;
}

export type AddSession = (entityKey: Uint8Array, session: Session, isFinal: boolean) => void;

export class SessionEmitter {
  readonly #options: SessionEmitterOptions;
  readonly #group: WindowGroup;
  readonly #gapUs: number;
  /** The sessions of the batch's entities before its rows. */
  readonly #before = new Map<CachedEntity, readonly Session[]>();
  #into: KvBatch | null = null;

  constructor(options: SessionEmitterOptions, group: WindowGroup, gapUs: number) {
    this.#options = options;
    this.#group = group;
    this.#gapUs = gapUs;
  }

  /** Before rows are applied to these entities. */
  begin(entities: readonly CachedEntity[]): void {
    this.#before.clear();
    for (const entity of entities) this.#before.set(entity, [...entity.sessions(this.#group)]);
  }

  /**
   * After rows were applied. `unwritten` are the entities that the store has otherwise, those of the
   * batch among them.
   */
  async take(
    unwritten: ReadonlySet<CachedEntity>,
    batch: SessionBatch,
    add: AddSession,
  ): Promise<void> {
    const fired = batch.closedUs > batch.sentBeforeUs ? await this.#fire(batch) : new Map();
    // Where one write takes several batches of rows, timers of the earlier ones are not stored yet.
    const timersAreStored = batch.into !== this.#into;
    this.#into = batch.into;
    for (const entity of unwritten) {
      const hasFired = fired.delete(nameOf(entity.key));
      this.#takeEntity(entity, timersAreStored && !hasFired, batch, add);
    }
    await this.#takeStored([...fired.values()], batch, add);
  }

  #takeEntity(entity: CachedEntity, hasTimer: boolean, batch: SessionBatch, add: AddSession): void {
    const { sentBeforeUs, closedUs } = batch;
    const sessions = entity.sessions(this.#group);
    const before = this.#before.get(entity);
    for (const session of [...entity.takeForgotten(this.#group), ...sessions]) {
      const finalUs = finalAfterUs(session, this.#gapUs);
      if (finalUs < sentBeforeUs) continue;
      if (finalUs < closedUs) add(entity.key, session, true);
      else if (batch.withUpdates && before?.includes(session) === false) {
        add(entity.key, session, false);
      }
    }
    const dueUs = this.#dueUs(sessions, closedUs);
    const isTimed = hasTimer && before !== undefined && dueUs >= this.#dueUs(before, sentBeforeUs);
    if (!isTimed) this.#setTimer(entity.key, dueUs, batch);
  }

  /** Entities whose stored timers lie before the closing time, by name; these timers are deleted. */
  async #fire({ partition, closedUs, into }: SessionBatch): Promise<Map<string, Uint8Array>> {
    const { state, sourceId, viewId } = this.#options;
    const place = { viewId, group: this.#group.index };
    const range = {
      gte: timerKey(sourceId, partition, place, Number.MIN_SAFE_INTEGER, NO_ENTITY),
      lt: timerKey(sourceId, partition, place, Math.ceil(closedUs), NO_ENTITY),
    };
    const fired = new Map<string, Uint8Array>();
    for await (const page of state.kv.scan(range)) {
      for (const [key] of page) {
        const entityKey = Uint8Array.from(timerOf(key).entityKey);
        fired.set(nameOf(entityKey), entityKey);
      }
    }
    into.deleteRange(range.gte, range.lt);
    return fired;
  }

  async #takeStored(
    entityKeys: readonly Uint8Array[],
    batch: SessionBatch,
    add: AddSession,
  ): Promise<void> {
    const { state, sourceId, viewId } = this.#options;
    const place = { viewId, group: this.#group.index };
    const stored = await state.kv.getMany(
      entityKeys.map((key) => tilesKey(sourceId, batch.partition, place, SESSIONS_BLOCK, key)),
    );
    for (const [n, entityKey] of entityKeys.entries()) {
      const bytes = stored[n];
      if (bytes === undefined) continue;
      const sessions = decodeSessions(this.#group, new ByteReader(bytes));
      for (const session of sessions) {
        const finalUs = finalAfterUs(session, this.#gapUs);
        if (finalUs >= batch.sentBeforeUs && finalUs < batch.closedUs)
          add(entityKey, session, true);
      }
      this.#setTimer(entityKey, this.#dueUs(sessions, batch.closedUs), batch);
    }
  }

  /** When the first session that is not final at a time will be; infinite where there is none. */
  #dueUs(sessions: readonly Session[], closedUs: number): number {
    for (const session of sessions) {
      const finalUs = finalAfterUs(session, this.#gapUs);
      if (finalUs >= closedUs) return finalUs;
    }
    return Number.POSITIVE_INFINITY;
  }

  #setTimer(entityKey: Uint8Array, dueUs: number, { partition, into }: SessionBatch): void {
    if (dueUs === Number.POSITIVE_INFINITY) return;
    const { sourceId, viewId } = this.#options;
    const place = { viewId, group: this.#group.index };
    into.put(timerKey(sourceId, partition, place, dueUs, entityKey), NO_VALUE);
  }
}

const NO_ENTITY = new Uint8Array(0);
const NO_VALUE = new Uint8Array(0);

function nameOf(entityKey: Uint8Array): string {
  return Buffer.from(entityKey.buffer, entityKey.byteOffset, entityKey.byteLength).toString(
    'latin1',
  );
}
