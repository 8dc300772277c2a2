import { describe, expect, it } from 'vitest';
import type { Definition, Kind } from '../../console/answers.ts';
import { madeFrom, schemaOf, searchDefinitions, usedBy } from '../../console/definitions.ts';

function definition(kind: Kind, name: string, more: Partial<Definition> = {}): Definition {
  return { kind, name, spec: {}, description: '', tags: {}, owner: '', fingerprint: '', ...more };
}

const delays = definition('featureView', 'airport_delays', {
  spec: { schema: { mean_24h: 'float64' } },
  description: 'How flights have left',
  tags: { team: 'Flights' },
  owner: 'ops@example.com',
});
const airport = definition('entity', 'airport', { spec: { joinKeys: { origin: 'string' } } });
const all = [airport, delays];

describe('the search', () => {
  it('finds names, features, join keys, descriptions, tags and owners', () => {
    const found = (text: string): string[] => searchDefinitions(all, text).map(({ name }) => name);
    expect(found('')).toEqual(['airport', 'airport_delays']);
    expect(found('AIRPORT')).toEqual(['airport', 'airport_delays']);
    for (const text of ['mean_24', 'have left', 'flights', 'ops@', 'team airport']) {
      expect(found(text), text).toEqual(['airport_delays']);
    }
    expect(found('origin')).toEqual(['airport']);
    expect(found('airport nowhere')).toEqual([]);
  });
});

describe('lineage', () => {
  it('is read both ways', () => {
    const lineage = [{ from: delays, to: airport }];
    expect(usedBy(lineage, airport)).toEqual([delays]);
    expect(madeFrom(lineage, delays)).toEqual([airport]);
    expect(usedBy(lineage, delays)).toEqual([]);
  });
});

describe('the fields of a definition', () => {
  it('are features or join keys', () => {
    expect(schemaOf(delays)).toEqual([['mean_24h', 'float64']]);
    expect(schemaOf(airport)).toEqual([['origin', 'string']]);
    expect(schemaOf(definition('featureService', 'model'))).toEqual([]);
  });
});
