import { resolve } from "node:path";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { api } from "./dev/api.ts";
import { firstView } from "./scripts/budget.ts";
import { licences } from "./scripts/licenses.ts";
import { runbook } from "./scripts/runbook.ts";
import { withoutUnused } from "./scripts/unused.ts";
import { workerFiles } from "./scripts/worker.ts";

const SHARED =
  /node_modules\/(react|react-dom|scheduler|react-router|@tanstack\/(query|react-query)[^/]*|axios)\/|clients\/typescript|src\/shared\/(api|i18n\/(en|index)\.ts|sync|time|ui\/(Icon|Shell|Account|Menu|Toasts|keys|theme|direction)|auth\/(Auth|development|Require))/;

export default defineConfig({
  plugins: [
    react(),
    api(),
    withoutUnused(),
    licences(),
    runbook(),
    workerFiles(),
    firstView(),
  ],
  resolve: {
    alias: {
      // Built from its sources: one compiler, one tree to shake.
      "@metacortex/client": resolve("../clients/typescript/src/index.ts"),
      // Its package names the development build, warnings and all, for every bundler.
      "react-router": resolve("node_modules/react-router/dist/production/index.mjs"),
    },
    dedupe: ["axios"],
  },
  build: {
    outDir: "../metacortex/web",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: { index: resolve("index.html"), sw: resolve("src/shared/offline/sw.js") },
      output: {
        // A service worker reaches what lies below it, so it has a name of its own.
        entryFileNames: ({ name }) =>
          name === "sw" ? "sw.js" : "assets/[name]-[hash].js",
        codeSplitting: {
          // What every room needs is one file: it compresses better than many.
          groups: [{ name: "base", test: SHARED }],
        },
      },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
