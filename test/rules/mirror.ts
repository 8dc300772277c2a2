/**
 * Which file of the product is tested where: `src/a/b.ts` in `test/a/b.test.ts`, and
 * `connectors/a/b.ts` in `test/a/b.test.ts` too.
 */

/** Shorter files are types, lists of exports and one-liners. */
const LINES_MIN = 60;

export interface Shared {
  readonly test: string;
  readonly covers: readonly string[];
  readonly because: string;
}

/** Files without a test of their own, by the test that covers them; a folder ends in a slash. */
export const sharedTests: readonly Shared[] = [
  {
    test: 'test/embedded/rocksdb-native.test.ts',
    covers: ['connectors/embedded/', 'src/log/log.ts'],
    because: 'the suite of all logs asks for what its parts do together',
  },
  {
    test: 'test/kafka/broker/kafka-log.test.ts',
    covers: ['connectors/kafka/'],
    because: 'only a broker says whether its requests are right; what needs none has its own test',
  },
  {
    test: 'test/kafka/broker/own-broker.test.ts',
    covers: ['connectors/kafka-dev/dev-kafka.ts'],
    because: 'it starts the broker, restarts it and kills it',
  },
  {
    test: 'test/kafka/broker/schema-registry.test.ts',
    covers: ['connectors/kafka-dev/dev-registry.ts'],
    because: 'the registry that it starts passes the suite of all registries',
  },
  {
    test: 'test/schema-registry/http-schema-registry.test.ts',
    covers: ['connectors/schema-registry/registry-routes.ts'],
    because: 'the client and the server are tested on each other',
  },
  {
    test: 'test/schema-registry/embedded-schema-registry.test.ts',
    covers: ['connectors/schema-registry/registry-file.ts'],
    because: 'a file is right when the registry reads it back',
  },
  {
    test: 'test/codec/avro-decoder.test.ts',
    covers: [
      'src/codec/avro-cursor.ts',
      'src/codec/avro-filler.ts',
      'src/codec/avro-reader.ts',
      'src/codec/avro-skipper.ts',
      'src/codec/avro-type.ts',
      'src/codec/row-batch-builder.ts',
    ],
    because: 'bytes are read right when the rows are',
  },
  {
    test: 'test/codec/row-encoder.test.ts',
    covers: ['src/codec/avro-output.ts'],
    because: 'bytes are written right when a reader agrees',
  },
  {
    test: 'test/golden/row-value.test.ts',
    covers: ['src/core/bytes.ts'],
    because: 'it writes every kind of value and reads it back',
  },
  {
    test: 'test/definition/catalog.test.ts',
    covers: [
      'src/definition/entity.ts',
      'src/definition/feature-view.ts',
      'src/definition/on-demand-feature-view.ts',
      'src/definition/projection.ts',
      'src/definition/source.ts',
    ],
    because: 'definitions are checked one by one and against each other there',
  },
  {
    test: 'test/types/windowed-feature-view.test.ts',
    covers: [
      'src/definition/aggregation-spec.ts',
      'src/definition/window-spec.ts',
      'src/definition/windowed-feature-view.ts',
    ],
    because: 'names, types and errors of windows and aggregations are one definition',
  },
  {
    test: 'test/kv/rocksdb-native.test.ts',
    covers: [
      'src/kv/driven-store.ts',
      'src/kv/kv-store.ts',
      'src/kv/rocksdb-native-driver.ts',
      'src/kv/store-folder.ts',
    ],
    because: 'the suite of all stores runs on it',
  },
  {
    test: 'test/kv/rocksdb.test.ts',
    covers: ['src/kv/rocksdb-driver.ts'],
    because: 'the suite of all stores runs on it',
  },
  {
    test: 'test/kv/memory.test.ts',
    covers: ['src/kv/memory-driver.ts', 'src/kv/sorted-map.ts'],
    because: 'the suite of all stores runs on it',
  },
  {
    test: 'test/online/online-store.test.ts',
    covers: ['src/online/store-checksum.ts', 'src/online/view-places.ts'],
    because: 'the suite of the online store reads what it wrote, wherever it is',
  },
  {
    test: 'test/cli/engine-log.test.ts',
    covers: ['src/telemetry/channels.ts'],
    because: 'what is published is what a subscriber gets',
  },
  {
    test: 'test/window/aggregators/aggregators.test.ts',
    covers: ['src/window/aggregators/'],
    because: 'one suite compares every aggregation with the obvious one',
  },
  {
    test: 'test/config/config.test.ts',
    covers: ['src/config/config-schema.ts', 'src/config/parse-config.ts'],
    because: 'a key is right when the text of a file with it is read right',
  },
  {
    test: 'test/e2e/cli.test.ts',
    covers: ['src/cli/commands/', 'src/cli/context.ts'],
    because: 'a command is right when what it leaves behind is what the next one finds',
  },
  {
    test: 'test/feature-store/feature-store.test.ts',
    covers: [
      'src/feature-store/open-serving.ts',
      'src/feature-store/open-task.ts',
      'src/feature-store/start-engine.ts',
    ],
    because: 'they join what other folders test, and only the whole store shows it',
  },
  {
    test: 'test/server/feature-server.test.ts',
    covers: ['src/server/http-error.ts', 'src/server/route.ts'],
    because: 'requests are checked and errors told right when a client gets them right',
  },
  {
    test: 'test/server/read-routes.test.ts',
    covers: ['src/server/stream-features.ts'],
    because: 'a stream is read right when the lines of its answer are',
  },
  {
    test: 'test/server/metrics.test.ts',
    covers: ['src/server/watch-routes.ts'],
    because: 'what is watched is what the routes give',
  },
  {
    test: 'test/feature-store/verify.test.ts',
    covers: ['src/feature-store/verify-sql.ts'],
    because: 'the SQL is right when it agrees with stores that agree',
  },
  {
    test: 'test/e2e/recovery.test.ts',
    covers: ['src/checkpoint/rebuild.ts'],
    because: 'a store is made again when an engine serves the same bytes from it',
  },
  {
    test: 'test/feature-store/history.test.ts',
    covers: ['src/feature-store/compact-history.ts'],
    because: 'files were replaced well when history is the same before, meanwhile and behind it',
  },
  {
    test: 'test/backfill/import-files.test.ts',
    covers: [
      'src/backfill/foreign-file.ts',
      'src/backfill/imported-parts.ts',
      'src/backfill/write-part.ts',
    ],
    because: 'a file was imported right when the parts of it hold its rows',
  },
  {
    test: 'test/feature-store/erase.test.ts',
    covers: [
      'connectors/embedded/erase-records.ts',
      'src/feature-store/reject-owner.ts',
      'src/feature-store/erase-from-datasets.ts',
      'src/feature-store/erase-from-log.ts',
    ],
    because: 'an entity is erased when no file holds a byte of it, and all else is as it was',
  },
  {
    test: 'test/contract/segment-store.ts',
    covers: ['src/segment/rewrite-segments.ts'],
    because: 'every segment store rewrites',
  },
  {
    test: 'test/feature-store/build-views.test.ts',
    covers: [
      'src/feature-store/replay-views.ts',
      'src/feature-store/view-build.ts',
      'src/segment/stream-segments.ts',
    ],
    because: 'rows of segments are read right when the state that they build is',
  },
  {
    test: 'test/online/window-emitter.test.ts',
    covers: ['src/online/session-emitter.ts'],
    because: 'windows and sessions of one view are sent together',
  },
  {
    test: 'test/join/sweep-windows.test.ts',
    covers: ['src/join/sweep-sql.ts'],
    because: 'SQL is right when its answer is',
  },
  {
    test: 'test/online/window-upserter.test.ts',
    covers: [
      'src/online/cached-entity.ts',
      'src/online/entity-cache.ts',
      'src/online/stored-windows.ts',
      'src/online/window-reader.ts',
    ],
    because: 'whatever is cached or read, the values are those of the oracle',
  },
  {
    test: 'test/window/read-windows.test.ts',
    covers: [
      'src/window/entity-windows.ts',
      'src/window/in-window.ts',
      'src/window/kept-rows.ts',
      'src/window/window-plan.ts',
      'src/window/window-rows.ts',
    ],
    because: 'one suite compares every window with the obvious one',
  },
  {
    test: 'test/join/historical-reader.test.ts',
    covers: [
      'src/join/entity-rows.ts',
      'src/join/historical-job.ts',
      'src/join/historical-request.ts',
      'src/join/output.ts',
    ],
    because: 'they are steps of one request, which has no result before its last step',
  },
  {
    test: 'test/join/join-sql.test.ts',
    covers: ['src/join/row-relation.ts'],
    because: 'SQL is right when its answer is, and only whole statements have one',
  },
  {
    test: 'test/producer/read-rows.test.ts',
    covers: [
      'src/producer/produce-rows.ts',
      'src/producer/read-lines.ts',
      'src/producer/read-table.ts',
    ],
    because: 'a file is read right when the rows in it are produced, whatever its format',
  },
];

/** The test that a file must have; null for files that need none. */
function mirrored(path: string, text: string): string | null {
  const match = /^(?:src|connectors)\/(.+)\.ts$/.exec(path);
  if (match === null || path.endsWith('/index.ts') || path.endsWith('.d.ts')) return null;
  if (text.split('\n').length <= LINES_MIN || isTypesAlone(text)) return null;
  return `test/${match[1]}.test.ts`;
}

/** What is wrong with the tests of the product, given the files there are. */
export function mirrorFaults(
  files: readonly { readonly path: string; readonly text: string }[],
  shared: readonly Shared[],
): string[] {
  const paths = new Set(files.map(({ path }) => path));
  const faults: string[] = [];
  for (const { test, covers } of shared) {
    if (!paths.has(test)) faults.push(`${test} is gone: mend the list`);
    for (const place of covers) {
      if (!files.some(({ path }) => isIn(path, place)))
        faults.push(`${place} is gone: mend the list`);
    }
  }
  for (const { path, text } of files) {
    const own = mirrored(path, text);
    const named = shared.some(({ covers }) => covers.includes(path));
    const covered = shared.some(({ covers }) => covers.some((place) => isIn(path, place)));
    if (own === null ? named : named && paths.has(own)) {
      faults.push(`${path} needs no place in the list`);
    } else if (own !== null && !covered && !paths.has(own)) faults.push(`${path} has no ${own}`);
  }
  return faults;
}

function isIn(path: string, place: string): boolean {
  return place.endsWith('/') ? path.startsWith(place) : path === place;
}

/** A contract has a suite instead of a test, and types are tested by the compiler. */
function isTypesAlone(text: string): boolean {
  return !/^(export )?(async )?(function|(abstract )?class|const|let)\b/m.test(text);
}
