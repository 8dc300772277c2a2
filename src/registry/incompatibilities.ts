/** Changes after which what is stored would be read wrongly, each with its reason. */
import { canonicalJson } from '../core/coerce.ts';
import type { JsonValue } from '../core/field-type.ts';
import type { DefinitionRecord } from '../definition/index.ts';

type Spec = DefinitionRecord['spec'];
type Rule = (existing: Spec, declared: Spec) => readonly string[];

export function incompatibilities(
  existing: DefinitionRecord,
  declared: DefinitionRecord,
): readonly string[] {
  const rules = RULES[declared.kind] ?? [];
  return rules.flatMap((rule) => rule(existing.spec, declared.spec));
}

const RULES: Readonly<Partial<Record<DefinitionRecord['kind'], readonly Rule[]>>> = {
  entity: [fixed('joinKeys', 'stored rows are found by the join keys they were written with')],
  topicSource: [
    fixed('topic', 'the positions of the source are offsets of the old topic'),
    fixed('partitions', 'keys would move to other partitions and leave their rows behind'),
    fixed('keyFields', 'entities would move to other partitions and leave their rows behind'),
    fixed('timestampField', 'stored rows are ordered by the old field'),
    fixed('createdTimestampField', 'stored rows are ordered by the old field'),
    fixed('format', 'records in the topic are in the old format'),
    sameTypes('segments hold'),
  ],
  parquetSource: [
    fixed('timestampField', 'stored rows are ordered by the old field'),
    fixed('createdTimestampField', 'stored rows are ordered by the old field'),
    sameTypes('rows are stored with'),
  ],
  featureView: [
    fixed('joinKeys', 'stored rows are found by the join keys they were written with'),
    keptSource('streamSource'),
    keptSource('batchSource'),
    ofNewestRows(sameTypes('rows are stored with')),
  ],
};

function fixed(property: string, reason: string): Rule {
  return (existing, declared) => {
    const [before, after] = [text(existing[property]), text(declared[property])];
    return before === after ? [] : [`${property} was ${before} and is ${after}: ${reason}`];
  };
}

/** A source may be added; the rows of one that is taken away would stay and never grow old. */
function keptSource(property: string): Rule {
  const rule = fixed(property, 'rows of the old source would stay in the store');
  return (existing, declared) => (existing[property] === null ? [] : rule(existing, declared));
}

/** Windows are built anew from history when their definition changes. */
function ofNewestRows(rule: Rule): Rule {
  return (existing, declared) => (declared['windowing'] === null ? rule(existing, declared) : []);
}

/** Fields may come and go; one that stays keeps its type. */
function sameTypes(stored: string): Rule {
  return (existing, declared) => {
    const before = existing['schema'] as Readonly<Record<string, string>>;
    const after = declared['schema'] as Readonly<Record<string, string>>;
    return Object.entries(after)
      .filter(([field, type]) => before[field] !== undefined && before[field] !== type)
      .map(([field, type]) => `"${field}" is ${type}, but ${stored} ${before[field]}`);
  };
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? `"${value}"` : canonicalJson(value ?? null);
}
