import { describe, expect, it } from 'vitest';
import { addCounts, countTests, formatCounts } from '../../scripts/test-report.ts';

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((test) => ({ status: test })),
});

describe('the counts of a test run', () => {
  it('sum passed, failed and all kinds of skipped tests', () => {
    const report = {
      testResults: [
        file('passed', 'passed', 'skipped', 'todo'),
        file('failed', 'failed', 'passed'),
      ],
    };
    expect(countTests(report)).toEqual({ passed: 2, failed: 1, skipped: 2 });
  });

  it('count a file that does not load as a failure', () => {
    expect(countTests({ testResults: [file('failed')] }).failed).toBe(1);
    expect(countTests({ testResults: [file('failed', 'passed')] }).failed).toBe(1);
  });

  it('are written on one line, with skips only when there are any', () => {
    const counts = addCounts({ passed: 1, failed: 0, skipped: 0 }, countTests({ testResults: [] }));
    expect(formatCounts(counts)).toBe('1 passed, 0 failed');
    expect(formatCounts({ ...counts, skipped: 3 })).toBe('1 passed, 0 failed, 3 skipped');
  });
});
