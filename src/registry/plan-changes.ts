import { canonicalJson } from '../core/coerce.ts';
import type { JsonValue } from '../core/field-type.ts';
import type { DefinitionRecord } from '../definition/index.ts';
import { incompatibilities } from './incompatibilities.ts';

/** What applying does to one definition. */
export interface Change {
  readonly transition: 'CREATE' | 'UPDATE' | 'DELETE' | 'UNCHANGED';
  readonly kind: DefinitionRecord['kind'];
  readonly name: string;
  /** Of an update: what differs, nested members named `schema.delay`. */
  readonly properties: readonly PropertyChange[];
  /** Why stored state and history would no longer fit; empty when they do. */
  readonly incompatible: readonly string[];
}

export interface PropertyChange {
  readonly property: string;
  /** Undefined where it is not there. */
  readonly existing: JsonValue | undefined;
  readonly declared: JsonValue | undefined;
}

/** Sources before the views that read them, views before the services that use them. */
const KIND_ORDER: readonly DefinitionRecord['kind'][] = [
  'entity',
  'topicSource',
  'parquetSource',
  'requestSource',
  'featureView',
  'onDemandFeatureView',
  'featureService',
];

/** The difference between what is applied and what is defined, in the order of applying. */
export function planChanges(
  applied: readonly DefinitionRecord[],
  desired: readonly DefinitionRecord[],
): Change[] {
  const before = byKey(applied);
  const after = byKey(desired);
  const changes = desired.map((record) => diff(before.get(keyOf(record)), record));
  for (const record of applied) {
    if (!after.has(keyOf(record))) changes.push(change('DELETE', record));
  }
  return changes.sort((a, b) => KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind));
}

/** What differs between two definitions of one kind. */
export function diffProperties(
  existing: DefinitionRecord,
  declared: DefinitionRecord,
): PropertyChange[] {
  return diffMembers(propertiesOf(existing), propertiesOf(declared), '');
}

function diff(existing: DefinitionRecord | undefined, declared: DefinitionRecord): Change {
  if (existing === undefined) return change('CREATE', declared);
  const properties = diffProperties(existing, declared);
  if (properties.length === 0) return change('UNCHANGED', declared);
  const incompatible = incompatibilities(existing, declared);
  return { ...change('UPDATE', declared), properties, incompatible };
}

function change(transition: Change['transition'], { kind, name }: DefinitionRecord): Change {
  return { transition, kind, name, properties: [], incompatible: [] };
}

function propertiesOf(record: DefinitionRecord): Record<string, JsonValue> {
  const { spec, name, description, tags, owner } = record;
  return { name, ...spec, description, tags: { ...tags }, owner };
}

/** Records of names are compared member by member, as far as both sides have them; all else as a whole. */
function diffMembers(
  existing: Readonly<Record<string, JsonValue>>,
  declared: Readonly<Record<string, JsonValue>>,
  prefix: string,
): PropertyChange[] {
  const names = [...new Set([...Object.keys(existing), ...Object.keys(declared)])];
  return names.flatMap((name): PropertyChange[] => {
    const [a, b] = [existing[name], declared[name]];
    if (same(a, b)) return [];
    const nested = (name === 'schema' || name === 'windowing') && isRecord(a) && isRecord(b);
    if (nested) return diffMembers(a, b, `${prefix}${name}.`);
    return [{ property: `${prefix}${name}`, existing: a, declared: b }];
  });
}

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}

function isRecord(value: JsonValue | undefined): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byKey(records: readonly DefinitionRecord[]): Map<string, DefinitionRecord> {
  return new Map(records.map((record) => [keyOf(record), record]));
}

function keyOf({ kind, name }: DefinitionRecord): string {
  return `${kind} ${name}`;
}
