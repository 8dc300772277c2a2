import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globals: false,
    include: ['test/fault/**/*.test.ts'],
    testTimeout: 120_000,
    pool: 'forks',
  },
});
