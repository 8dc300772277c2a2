import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globals: false,
    include: ['test/kafka/**/*.test.ts'],
    globalSetup: ['test/kafka/broker/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // The files share one broker, which has two cores.
    fileParallelism: false,
  },
});
