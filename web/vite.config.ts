import { resolve } from "node:path";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { api } from "./dev/api.ts";
import { licences } from "./scripts/licenses.ts";

export default defineConfig({
  plugins: [react(), api(), licences()],
  resolve: {
    // Built from its sources: one compiler, one tree to shake.
    alias: { "@metacortex/client": resolve("../clients/typescript/src/index.ts") },
    dedupe: ["axios"],
  },
  build: {
    outDir: "../metacortex/web",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
