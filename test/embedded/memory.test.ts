import { logSuite } from '../contract/log.ts';
import { freshLogs } from './support.ts';

logSuite({ name: 'embedded in memory', open: freshLogs('memory'), runs: 300 });
