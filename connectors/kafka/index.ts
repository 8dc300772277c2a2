export { type KafkaLogOptions, openKafkaLog } from './kafka-log.ts';
