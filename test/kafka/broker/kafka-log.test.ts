import { logSuite } from '../../contract/log.ts';
import { describeKafka, openLog, prefix } from './support.ts';

describeKafka('on a real broker', () => {
  logSuite({ name: 'Kafka', open: () => openLog(), prefix, runs: 15 });
});
