import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globals: false,
    include: ['test/**/*.test.ts'],
    exclude: [
      'test/conformance/**',
      'test/e2e/**',
      'test/fault/**',
      'test/kafka/broker/**',
      'node_modules/**',
    ],
    testTimeout: 30_000,
    pool: 'forks',
  },
});
