import { reclaimSegments } from '../checkpoint/index.ts';
import type { ApplyPorts } from '../registry/index.ts';
import { deleteAllState, deleteViewState } from '../state/index.ts';
import type { Resources } from './resources.ts';

/** Applying, on the resources of a feature store. Only what is needed is opened. */
export function applyPorts(resources: Resources): ApplyPorts {
  const { log } = resources.config;
  const replication = log.type === 'kafka' ? log.replication : 1;
  return {
    createTopic: async (spec) => (await resources.log()).createTopic({ ...spec, replication }),
    deleteTopic: async (topic) => {
      const opened = await resources.log();
      if ((await opened.listTopics()).includes(topic)) await opened.deleteTopic(topic);
    },
    schemaIncompatibilities: async (subject, schema) =>
      (await resources.schemas()).incompatibilities(subject, schema),
    registerSchema: async (subject, schema) => {
      await (await resources.schemas()).register(subject, schema);
    },
    deleteSubject: async (subject) => (await resources.schemas()).deleteSubject(subject),
    deleteViews: async (names) => {
      const state = await resources.state();
      for (const name of names) await deleteViewState(state, name);
    },
    deleteAll: async () => {
      const [manifest, segments] = [await resources.manifest(), await resources.segments()];
      for (const [source, entries] of await manifest.snapshot()) {
        await manifest.commit(source, { removed: { entries, atMs: resources.clock.nowMs() } });
      }
      await reclaimSegments(manifest, segments, Number.POSITIVE_INFINITY);
      await deleteAllState(await resources.state());
      await segments.sweep(new Set(), { storeIsNew: false });
    },
  };
}
