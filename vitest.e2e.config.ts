import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globals: false,
    include: ['test/e2e/**/*.test.ts'],
    testTimeout: 120_000,
    pool: 'forks',
  },
});
