/** Fails if what a browser loads, without axios, passes 15 kB gzip. */
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const LIMIT = 15_000; // bytes

const built = await build({
  entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  external: ['axios'],
});
const bytes = gzipSync(built.outputFiles[0].contents, { level: 9 }).length;
console.log(`${bytes} bytes gzip without axios; at most ${LIMIT}`);
if (bytes > LIMIT) process.exitCode = 1;
