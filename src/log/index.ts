export {
  type AppendResult,
  type Cursor,
  type GroupMembership,
  type Header,
  type Log,
  type LogBatch,
  type LogCapabilities,
  type LogReader,
  type PollOptions,
  type ProducedRecord,
  type TimestampType,
  type TopicDescription,
  type TopicPartition,
  type TopicSpec,
  topicPartitionName,
  type Watermarks,
} from './log.ts';
export { PollSignal } from './poll-signal.ts';
export { requirePossibleTopic } from './require-possible-topic.ts';
