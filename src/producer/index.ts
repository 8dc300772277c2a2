export {
  createFeatureProducer,
  type FeatureProducer,
  type FeatureProducerOptions,
  type InputRow,
  type ProducerCounts,
  type RowReject,
  type SendOptions,
  type SendResult,
} from './feature-producer.ts';
export { type ProduceProgress, type ProduceRowsOptions, produceRows } from './produce-rows.ts';
export {
  inputFormatOf,
  type ReadRowsOptions,
  type RowInput,
  type RowInputFormat,
  readRows,
} from './read-rows.ts';
export type { RowReader, RowsRead } from './row-reader.ts';
export { skipRows } from './skip-rows.ts';
