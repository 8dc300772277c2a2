import { describe, expect, it } from 'vitest';
import { featureService } from '../../src/definition/index.ts';
import { lineage, recordsOf } from '../../src/registry/index.ts';
import { catalogOf, history, ordersOf, shop, spendingOf } from './support.ts';

function edges(...definitions: object[]): string[] {
  return lineage(recordsOf(catalogOf(...definitions))).map(
    ({ from, to }) => `${from.kind} ${from.name} ← ${to.kind} ${to.name}`,
  );
}

describe('lineage', () => {
  it('leads from services over views to sources and entities', () => {
    expect(edges(...shop())).toEqual([
      'featureView spending ← entity user',
      'featureView spending ← topicSource orders',
      'featureView spending ← parquetSource history',
      'onDemandFeatureView total ← featureView spending',
      'onDemandFeatureView total ← requestSource cart',
      'featureService model ← featureView spending',
      'featureService model ← onDemandFeatureView total',
    ]);
  });

  it('names a view once, under whatever aliases a service uses it', () => {
    const view = spendingOf({ entities: [], source: history });
    const service = featureService({
      name: 'model',
      features: [view.withName('a'), view.withName('b')],
    });
    expect(edges(view, service)).toEqual([
      'featureView spending ← parquetSource history',
      'featureService model ← featureView spending',
    ]);
  });

  it('tells kinds of one name apart', () => {
    const view = spendingOf({ name: 'orders', entities: [] });
    const service = featureService({ name: 'orders', features: [view] });
    expect(edges(view, service)).toEqual([
      'featureView orders ← topicSource orders',
      'featureService orders ← featureView orders',
    ]);
  });

  it('leaves out what is not recorded', () => {
    const records = recordsOf(catalogOf(spendingOf()));
    expect(lineage(records.filter(({ kind }) => kind === 'featureView'))).toEqual([]);
    expect(edges(ordersOf())).toEqual([]);
  });
});
