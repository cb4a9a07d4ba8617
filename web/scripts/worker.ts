/** Tells the service worker which files the release has, so that it keeps them all. */
import type { Plugin } from "vite";

const WORKER = "sw.js";
const ELSEWHERE = /clerk/; // Clerk needs a connection anyway

export function workerFiles(): Plugin {
  return {
    name: "metacortex-worker-files",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const worker = bundle[WORKER];
      if (worker?.type !== "chunk") throw new Error(`the build has no ${WORKER}`);
      const files = Object.keys(bundle)
        .filter((it) => it.startsWith("assets/") && !ELSEWHERE.test(it))
        .map((it) => `/${it}`)
        .sort();
      const place = /["'`]__FILES__["'`]/g;
      const found = worker.code.match(place)?.length ?? 0;
      if (found === 0) throw new Error(`${WORKER} has no place for its files`);
      worker.code = worker.code.replace(place, JSON.stringify(files));
    },
  };
}
