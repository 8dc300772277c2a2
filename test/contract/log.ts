import { afterAll, beforeAll, describe } from 'vitest';
import type { Log } from '../../src/log/index.ts';
import { logGeneratedSuite } from './log-generated.ts';
import { logGroupsSuite } from './log-groups.ts';
import { logReadingSuite } from './log-reading.ts';
import type { LogUnderTest } from './log-support.ts';
import { logTopicsSuite } from './log-topics.ts';
import { logWritingSuite } from './log-writing.ts';

export interface LogSuiteOptions {
  readonly name: string;
  /** Opens the log; the suite closes it. Called once, and again where a test closes its log. */
  readonly open: () => Promise<Log>;
  /** Begins the names of topics and groups, so that suites can share a log. Default empty. */
  readonly prefix?: string;
  /** Generated runs of the comparison with the naive log. Default 20. */
  readonly runs?: number;
}

/** What every log does. */
export function logSuite(options: LogSuiteOptions): void {
  const { name, open, prefix = '', runs = 20 } = options;

  describe(`log: ${name}`, () => {
    let log: Log;
    let named = 0;

    beforeAll(async () => {
      log = await open();
    });
    afterAll(() => log.close());

    const under: LogUnderTest = {
      get log() {
        return log;
      },
      open,
      name: (what) => `${prefix}${what}-${++named}`,
      topic: async (partitions = 1, more = {}) => {
        const topic = under.name('topic');
        await log.createTopic({ topic, partitions, timestampType: 'CreateTime', ...more });
        return topic;
      },
    };
    logTopicsSuite(under);
    logWritingSuite(under);
    logReadingSuite(under);
    logGroupsSuite(under);
    logGeneratedSuite(under, runs);
  });
}
