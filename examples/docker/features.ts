import { entity, featureView, sliding, topicSource, windowedFeatureView } from 'freshet';

export const user = entity({ name: 'user', joinKeys: { user_id: 'string' } });

export const clicks = topicSource({
  name: 'clicks',
  topic: 'clicks',
  schema: { clicked_at: 'timestamp', user_id: 'string', page: 'string', seconds: 'float64' },
  timestampField: 'clicked_at',
  keyFields: ['user_id'],
});

export const lastClick = featureView({
  name: 'last_click',
  entities: [user],
  source: clicks,
  schema: { page: 'string' },
  ttl: '30d',
});

export const attention = windowedFeatureView({
  name: 'attention',
  entities: [user],
  source: clicks,
  aggregations: [
    { function: 'count', window: sliding('1h'), name: 'clicks_1h' },
    { column: 'seconds', function: 'mean', window: sliding('1h'), name: 'seconds_mean_1h' },
    { function: 'count', window: sliding('24h'), name: 'clicks_24h' },
  ],
});
