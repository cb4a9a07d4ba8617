import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { beforeAll, expect, inject, onTestFinished, test } from 'vitest';

import { freshToken } from './helpers.js';

const HERE = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(HERE, '.examples');
const SESSION = 'const session = { token: (_: { fresh: boolean }) => process.env.TOKEN ?? null };';
const IMPORT = /^import .*$/gm;

const page = readFileSync(join(HERE, 'README.md'), 'utf8');
const blocks = [...page.matchAll(/^### \d+\. (.+)\n[^]*?^```ts\n([^]*?)^```$/gm)].map(
  ([, title, code]) => ({ title: title ?? '', code: code ?? '' }),
);
const first = blocks[0]?.code ?? '';
const imports = new Set(blocks.flatMap(({ code }) => code.match(IMPORT) ?? []));

/** An example as a program: all imports, the client of the first one, itself. */
function program(code: string): string {
  const parts = [...imports, SESSION, first.replace(IMPORT, '')];
  if (code !== first) parts.push(code.replace(IMPORT, ''));
  return [...parts, 'client.close();'].join('\n');
}

/** What the comments behind console.log say is printed; a comma is a new line. */
function promised(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].flatMap(([, said = '']) =>
    said.includes('{') ? [said] : said.split(', '),
  );
}

function run(command: string, ...arguments_: string[]): void {
  const { status, stdout, stderr } = spawnSync(command, arguments_, { cwd: HERE });
  if (status !== 0) throw new Error(`${command} failed:\n${String(stdout)}${String(stderr)}`);
}

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
  for (const [index, { code }] of blocks.entries())
    writeFileSync(join(FOLDER, `${String(index + 1)}.ts`), program(code));
  writeFileSync(
    join(FOLDER, 'tsconfig.json'),
    JSON.stringify({
      extends: '../tsconfig.json',
      compilerOptions: {
        noEmit: false,
        customConditions: [],
        noUnusedLocals: false,
        rootDir: '.',
      },
      include: ['*.ts'],
    }),
  );
  run('npm', 'run', '--silent', 'build');
  run('npx', 'tsc', '-p', FOLDER); // the examples, with the types that are shipped
  return () => {
    rmSync(FOLDER, { recursive: true });
  };
});

test('there are ten', () => {
  expect(blocks.length).toBe(10);
});

test.each(blocks.map((block, index) => ({ ...block, file: `${String(index + 1)}.js` })))(
  '$file $title',
  async ({ code, file }) => {
    const controller = new AbortController();
    onTestFinished(() => {
      controller.abort();
    });
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(FOLDER, file)], {
      env: { ...process.env, API: inject('baseURL'), TOKEN: await freshToken() },
      signal: controller.signal,
    });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n').filter(Boolean)).toEqual(promised(code));
  },
);
