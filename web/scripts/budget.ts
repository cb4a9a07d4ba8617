/** Fails a build whose first view is larger than it may be. */
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const LIMIT_KB = 150; // of JavaScript, compressed: what `/` loads before its first list
const ENTRIES = ["index", "sw"]; // the service worker is fetched by the first view too

const sizeOf = (code: string): number => gzipSync(code, { level: 9 }).length / 1000;

/** What is loaded with the entries, without waiting for anything that is imported late. */
export function firstView(): Plugin {
  return {
    name: "metacortex-first-view",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const wanted = new Set<string>();
      const take = (file: string) => {
        const chunk = bundle[file];
        if (chunk?.type !== "chunk" || wanted.has(file)) return;
        wanted.add(file);
        chunk.imports.forEach(take);
      };
      for (const chunk of Object.values(bundle))
        if (chunk.type === "chunk" && chunk.isEntry && ENTRIES.includes(chunk.name))
          take(chunk.fileName);
      const sizes = [...wanted].map((file) => {
        const chunk = bundle[file];
        return { file, kb: chunk?.type === "chunk" ? sizeOf(chunk.code) : 0 };
      });
      const total = sizes.reduce((sum, { kb }) => sum + kb, 0);
      if (wanted.size < 2) throw new Error("the first view was not found");
      if (total <= LIMIT_KB) return;
      const lines = sizes.map(({ file, kb }) => `  ${file}: ${kb.toFixed(1)} kB`);
      throw new Error(
        `the first view is ${total.toFixed(1)} kB, more than ${LIMIT_KB}:\n${lines.join("\n")}`,
      );
    },
  };
}
