import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { expect, inject, onTestFinished, test } from 'vitest';

import type { TextStorage } from '../src/index.js';
import { ResyncRequired } from '../src/index.js';
import { openChannel, Sequences } from '../src/sequences.js';
import { answer, clientOf, failure, freshClient, freshToken, scripted } from './helpers.js';
import { children } from './server.js';

/** Holds whatever projects, so that lists stay behind; the test's end lets it go on. */
function holdProjection(): () => void {
  const parts = children(inject('pid'));
  const pid = parts.get('worker');
  if (pid === undefined) throw new Error(`No worker: ${[...parts.keys()].join()}`);
  const signal = (name: NodeJS.Signals) => process.kill(pid, name);
  signal('SIGSTOP');
  onTestFinished(() => {
    signal('SIGCONT');
  });
  return () => {
    signal('SIGCONT');
  };
}

const ONCE = { wait: 0.1, retry: { attempts: 1 } };

test('a query shows what the same client has written', async () => {
  const { tasks } = await freshClient();
  for (let total = 1; total <= 10; total++) {
    await tasks.create({ title: 'One more' });
    expect((await tasks.list()).meta.total).toBe(total);
  }
});

test('two tabs share what they have written, and others do not', async () => {
  const token = await freshToken();
  const here = clientOf(token, { channel: openChannel('test-tabs') });
  const there = clientOf(token, { channel: openChannel('test-tabs') });
  const apart = clientOf(token);
  await Promise.all([here, there, apart].map((client) => client.tasks.list()));
  const goOn = holdProjection();
  await here.tasks.create({ title: 'One' });
  await new Promise((resolve) => setTimeout(resolve, 100)); // until the message is through
  expect((await apart.tasks.list({}, ONCE)).meta.total).toBe(0);
  expect(await failure(there.tasks.list({}, ONCE))).toMatchObject({ code: 'read_model_lagging' });
  const lenient = await there.tasks.list({}, { ...ONCE, lenient: true });
  expect(lenient.meta).toMatchObject({ stale: true, total: 0 });
  expect((await there.tasks.list({}, { ...ONCE, minSequence: 0 })).meta.total).toBe(0);
  goOn();
  expect((await there.tasks.list()).meta.total).toBe(1);
});

test('a tab that opens later asks the others', async () => {
  const first = new Sequences('n', openChannel('test-later'), null);
  first.see('w', 7);
  const later = new Sequences('n', openChannel('test-later'), null);
  onTestFinished(() => {
    first.close();
    later.close();
  });
  await expect.poll(() => later.of('w')).toBe(7);
  later.forget('w');
  await expect.poll(() => first.of('w')).toBe(0);
});

test('workspaces are told apart, and only what is higher counts', () => {
  const sequences = new Sequences('n', null, null);
  sequences.see('a', 5);
  sequences.see('a', 3);
  sequences.see('a', Number.NaN);
  sequences.see(undefined, 9);
  expect([sequences.of('a'), sequences.of('b'), sequences.of(undefined)]).toEqual([5, 0, 0]);
});

test('a client that was closed still works, by itself', async () => {
  const client = await freshClient({ channel: openChannel('test-closed') });
  client.close();
  await client.tasks.create({ title: 'One' });
  expect((await client.tasks.list()).meta.total).toBe(1);
});

test('a storage keeps the sequence over a reload', () => {
  const kept = new Map<string, string>();
  const storage: TextStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
  new Sequences('n', null, storage).see('w', 7);
  const reloaded = new Sequences('n', null, storage);
  expect(reloaded.of('w')).toBe(7);
  reloaded.forget('w');
  expect(new Sequences('n', null, storage).of('w')).toBe(0);
});

test('a log that was restored makes the client forget', async () => {
  const { baseURL, requests } = await scripted([
    answer(200, null, { 'Metacortex-Sequence': '41' }),
    answer(410, 'resync_required'),
    answer(200, null),
  ]);
  const { tasks } = clientOf('', { baseURL, workspace: 'w' });
  await tasks.list();
  expect(await failure(tasks.list())).toBeInstanceOf(ResyncRequired);
  await tasks.list();
  const asked = requests.map((request) => request.headers['metacortex-min-sequence']);
  expect(asked).toEqual([undefined, '41', undefined]);
});

test('a client keeps no process from ending', async () => {
  const built = await build({
    stdin: {
      contents: `import { createClient } from './src/index.ts';
        createClient({ baseURL: 'http://127.0.0.1:1', getToken: () => null });`,
      resolveDir: fileURLToPath(new URL('..', import.meta.url)),
    },
    bundle: true,
    write: false,
    platform: 'node',
  });
  const script = built.outputFiles[0]?.text ?? '';
  const ended = spawnSync(process.execPath, ['-'], { input: script, timeout: 20_000 });
  expect(ended.stderr.toString()).toBe('');
  expect(ended.status).toBe(0);
});
