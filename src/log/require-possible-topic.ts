import { FreshetError } from '../errors.ts';
import type { TopicSpec } from './log.ts';

/**
 * Kafka's rules for topics, which every log keeps, so that a repository can move between them.
 * @throws FreshetError INVALID_ARGUMENT
 */
export function requirePossibleTopic({ topic, partitions }: TopicSpec): void {
  const isName = /^[\w.-]{1,249}$/.test(topic) && topic !== '.' && topic !== '..';
  const isCount = Number.isSafeInteger(partitions) && partitions > 0;
  if (isName && isCount) return;
  const what = isName ? `${partitions} partitions are impossible` : `"${topic}" cannot be a topic`;
  const next = 'A topic has 1 to 249 letters, digits, dots, dashes or underscores, and partitions.';
  throw new FreshetError('INVALID_ARGUMENT', what, { where: { topic }, next });
}
