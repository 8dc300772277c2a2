/** What the server answers, as far as the console reads it: `/openapi.json` has the whole. */

export interface Access {
  readonly key: string | null;
  readonly read: boolean;
  readonly write: boolean;
}

export interface SourceTotals {
  readonly source: string;
  readonly topic: string;
  readonly partitions: number;
  readonly rows: number;
  readonly rejected: number;
  readonly late: number;
  readonly lagRecords: number;
  readonly unsealedRecords: number;
  readonly streamTimeUs: number | null;
  readonly idle: number;
  readonly suspended: number;
  readonly gapRecords: number;
  readonly segments: { readonly files: number; readonly rows: number; readonly bytes: number };
}

export interface Overview {
  readonly nowMs: number;
  readonly health: { readonly status: 'healthy' | 'unhealthy'; readonly reasons: string[] };
  readonly engine: 'none' | 'running' | 'stopped';
  readonly sources: readonly SourceTotals[];
  readonly onlineStoreBytes: number;
  readonly reads: {
    readonly reads: number;
    readonly entityRows: number;
    readonly durationMs: number;
  };
}

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly applied: number;
  readonly sealed: number;
  readonly end: number;
  readonly lagRecords: number;
  readonly streamTimeUs: number | null;
  readonly rows: number;
  readonly rejected: number;
  readonly late: Readonly<Record<string, number>>;
  readonly idle: boolean;
  readonly retryAtMs: number | null;
}

export interface Gap {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
}

export interface Status {
  readonly nowMs: number;
  readonly sources: readonly {
    readonly source: string;
    readonly topic: string;
    readonly partitions: readonly PartitionStatus[];
    readonly gaps: readonly Gap[];
  }[];
}

export type Kind =
  | 'entity'
  | 'topicSource'
  | 'parquetSource'
  | 'requestSource'
  | 'featureView'
  | 'onDemandFeatureView'
  | 'featureService';

export interface DefinitionName {
  readonly kind: Kind;
  readonly name: string;
}

export interface Definition extends DefinitionName {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly owner: string;
  readonly fingerprint: string;
}

/** `from` is made from `to`. */
export interface LineageEdge {
  readonly from: DefinitionName;
  readonly to: DefinitionName;
}

export interface Catalogue {
  readonly project: string;
  readonly revision: number;
  readonly definitions: readonly Definition[];
  readonly states: Readonly<Record<string, string>>;
  readonly lineage: readonly LineageEdge[];
}

export interface Aggregation {
  readonly column: string | null;
  readonly function: { readonly name: string; readonly params: Readonly<Record<string, unknown>> };
  readonly window: WindowSpec;
  readonly feature: string;
}

export interface WindowSpec {
  readonly kind: string;
  readonly label: string;
  readonly everyUs?: number;
  readonly exact?: boolean;
}

/** The spec of a feature view. */
export interface ViewSpec {
  readonly entities: readonly string[];
  readonly joinKeys: Readonly<Record<string, string>>;
  readonly schema: Readonly<Record<string, string>>;
  readonly streamSource: string | null;
  readonly batchSource: string | null;
  readonly ttlUs: number | null;
  readonly graceUs: number | null;
  readonly online: boolean;
  readonly offline: boolean;
  readonly enabled: boolean;
  readonly windowing: {
    readonly where: string | null;
    readonly derive: Readonly<Record<string, { readonly type: string; readonly of: string }>>;
    readonly aggregations: readonly Aggregation[];
  } | null;
}

export interface Values {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly statuses: readonly Readonly<Record<string, string>>[];
  readonly eventTimestamps: readonly Readonly<Record<string, string | null>>[];
  readonly receipts?: Readonly<Record<string, readonly Receipt[]>>;
}

export interface Receipt {
  readonly topic: string | null;
  readonly partition: number | null;
  readonly appliedOffset: number | null;
  readonly streamTimeUs: number | null;
}

export interface History {
  readonly rows: number;
  readonly firstUs: number | null;
  readonly lastUs: number | null;
  readonly timesUs: readonly number[];
  readonly values: Readonly<Record<string, readonly unknown[]>>;
}

export interface ViewCost {
  readonly entities: number;
  readonly bytes: number;
  readonly reads: readonly {
    readonly window: WindowSpec;
    readonly tileUs: number | null;
    readonly tiles: number;
    readonly values: number;
    readonly bytes: number | null;
    readonly retentionUs: number | null;
  }[];
}

export interface Segment {
  readonly file: string | null;
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly rowCount: number;
  readonly bytes: number;
  readonly minEventTimeUs: number | null;
  readonly maxEventTimeUs: number | null;
}

/** A range of event time. */
export interface Interval {
  readonly startUs: number;
  readonly endUs: number;
}

export interface DeadLetter {
  readonly id: number;
  readonly code: string;
  readonly reason: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly truncatedBytes: number | null;
}

export interface Difference {
  readonly kind: 'mismatch' | 'missing' | 'extra' | 'sql';
  readonly entity: Readonly<Record<string, unknown>>;
  readonly feature: string;
  readonly time: string;
  readonly online: unknown;
  readonly recomputed: unknown;
}

export interface Verification {
  readonly same: boolean;
  readonly views: readonly {
    readonly view: string;
    readonly entities: number;
    readonly times: readonly string[];
    readonly values: number;
    readonly sqlValues: number;
    readonly differences: readonly Difference[];
  }[];
}
