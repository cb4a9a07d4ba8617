import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.e2e.ts"],
    globalSetup: ["./server.ts"],
    fileParallelism: false, // one server, two cores
    testTimeout: 180_000,
    expect: { poll: { timeout: 10_000 } },
    hookTimeout: 120_000,
  },
});
