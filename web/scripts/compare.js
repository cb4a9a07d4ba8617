/** Builds the app anew and fails where what is committed differs. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const committed = resolve(import.meta.dirname, "../../metacortex/web");
const fresh = mkdtempSync(join(tmpdir(), "metacortex-build-"));

/** @param {string} folder */
function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name).slice(folder.length + 1))
    .filter((name) => !name.endsWith(".py"))
    .sort();
}

/** @param {string} name */
function same(name) {
  return readFileSync(join(committed, name)).equals(readFileSync(join(fresh, name)));
}

try {
  const vite = resolve(import.meta.dirname, "../node_modules/vite/bin/vite.js");
  const args = [vite, "build", "--outDir", fresh, "--logLevel", "error"];
  execFileSync(process.execPath, args, {
    cwd: resolve(import.meta.dirname, ".."),
    stdio: "inherit",
  });
  const [old, now] = [files(committed), files(fresh)];
  const wrong = [
    ...old
      .filter((it) => !now.includes(it))
      .map((it) => `${it} is committed, and not built`),
    ...now
      .filter((it) => !old.includes(it))
      .map((it) => `${it} is built, and not committed`),
    ...now.filter((it) => old.includes(it) && !same(it)).map((it) => `${it} differs`),
  ];
  if (wrong.length > 0) {
    console.error(
      ["metacortex/web is not current; run make web:", ...wrong].join("\n  "),
    );
    process.exitCode = 1;
  } else console.log(`metacortex/web is current: ${now.length} files`);
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
