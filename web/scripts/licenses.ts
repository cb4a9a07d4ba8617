/** Writes the licences of all bundled packages into one file of the build. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const NAMES = /^(licen[cs]e|copying|notice)(\.|$)/i;

function folderOf(file: string): string | null {
  if (!file.includes("/node_modules/")) return null;
  let folder = dirname(file);
  while (folder.includes("/node_modules/")) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && "name" in manifestOf(folder)) return folder;
    folder = dirname(folder);
  }
  return null;
}

function manifestOf(folder: string): {
  name?: string;
  version?: string;
  license?: string;
} {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as object;
}

function entry(folder: string): string {
  const { name, version, license } = manifestOf(folder);
  const texts = readdirSync(folder)
    .filter((file) => NAMES.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version} (${license})`, ...texts].join("\n\n");
}

export function licences(): Plugin {
  return {
    name: "metacortex-licences",
    apply: "build",
    generateBundle(_options, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const module of chunk.moduleIds) {
          const folder = folderOf(module.replace(/^\0/, "").split("?")[0] ?? "");
          if (folder) folders.add(folder);
        }
      }
      const entries = [...new Set([...folders].map(entry))].sort();
      const source = entries.join(`\n\n${"-".repeat(72)}\n\n`) + "\n";
      this.emitFile({ type: "asset", fileName: "licenses.txt", source });
    },
  };
}
