import { logSuite } from '../contract/log.ts';
import { freshLogs } from './support.ts';

logSuite({ name: 'embedded in rocksdb-native', open: freshLogs('rocksdb-native'), runs: 60 });
