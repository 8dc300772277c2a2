import { didYouMean } from '../core/nearest.ts';
import type { Catalog, Entity, FeatureView, TopicSource } from '../definition/index.ts';
import { FreshetError } from '../errors.ts';

/** @throws FreshetError FEATURE_VIEW_NOT_FOUND */
export function requireView(catalog: Catalog, name: string): FeatureView {
  const view = catalog.views.get(name);
  if (view !== undefined) return view;
  throw new FreshetError(
    'FEATURE_VIEW_NOT_FOUND',
    `there is no feature view "${name}". ${didYouMean(name, catalog.views.keys())}`,
    { where: { view: name } },
  );
}

/** @throws FreshetError INVALID_ARGUMENT */
export function requireEntity(catalog: Catalog, name: string): Entity {
  const entity = catalog.entities.get(name);
  if (entity !== undefined) return entity;
  const hint = didYouMean(name, catalog.entities.keys());
  throw new FreshetError('INVALID_ARGUMENT', `there is no entity "${name}". ${hint}`);
}

/** @throws FreshetError SOURCE_NOT_FOUND */
export function requireTopicSource(catalog: Catalog, name: string): TopicSource {
  const source = catalog.sources.get(name);
  if (source?.kind === 'topicSource') return source;
  const topics = [...catalog.sources.values()].filter(({ kind }) => kind === 'topicSource');
  const hint = didYouMean(
    name,
    topics.map((topic) => topic.name),
  );
  throw new FreshetError('SOURCE_NOT_FOUND', `there is no topic source "${name}". ${hint}`, {
    where: { source: name },
  });
}
