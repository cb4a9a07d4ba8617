import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TestProject } from 'vitest/node';

import { freePort, Program } from './server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    folder: string;
    baseURL: string;
    pid: number;
  }
}

/** One installation for all tests, in a folder of its own; each test has its own users. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'metacortex-client-'));
  const up = await Program.start('up', folder, await freePort());
  project.provide('folder', folder);
  project.provide('baseURL', up.baseURL);
  project.provide('pid', up.pid);
  return async () => {
    await up.end('SIGINT');
    rmSync(folder, { recursive: true });
  };
}
