import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/setup.ts',
    fileParallelism: false, // they stop workers and kill servers
    testTimeout: 60_000, // a server starts in 2 s, or 20 where everybody works at once
    hookTimeout: 120_000,
  },
});
