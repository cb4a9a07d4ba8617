import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { ApiError, newId } from '../src/index.js';
import { clientOf, failure, freshClient, freshToken } from './helpers.js';

test('a command answers with the resource, and what it did', async () => {
  const client = await freshClient();
  const id = newId();
  const made = await client.tasks.create({ id, title: 'Call the notary' });
  expect(made.status).toBe(201);
  expect(made.etag).toBe('"1"');
  expect(made.data).toMatchObject({ id, title: 'Call the notary', status: 'pending' });
  expect(made.meta).toMatchObject({ version: 1, sequence: 1, replayed: false });
  expect(typeof made.data.created_at).toBe('string');
  const done = await client.tasks.complete(id);
  expect(done.data.status).toBe('completed');
  expect(done.meta.events.map((event) => event.type)).toEqual(['task.completed']);
});

test('every call of a task works, and so do its arguments', async () => {
  const { tasks } = await freshClient();
  const id = (await tasks.create({ title: 'One' })).data.id;
  const parent = (await tasks.create({ title: 'Above' })).data.id;
  expect((await tasks.edit(id, { title: 'Two', priority: 'high' })).data.title).toBe('Two');
  expect((await tasks.start(id)).data.status).toBe('in_progress');
  expect((await tasks.block(id, { reason: 'Waits' })).data.blocked_reason).toBe('Waits');
  expect((await tasks.unblock(id)).data.status).toBe('pending');
  expect((await tasks.complete(id, { subtasks: 'complete' })).data.status).toBe('completed');
  expect((await tasks.reopen(id)).data.status).toBe('pending');
  expect((await tasks.cancel(id)).data.status).toBe('cancelled');
  expect((await tasks.reopen(id)).data.status).toBe('pending');
  expect((await tasks.move(id, { parent_id: parent })).data.parent_id).toBe(parent);
  expect((await tasks.comment(id, { body: 'Hm' })).data.id).toBe(id);
  expect((await tasks.archive(id)).data.archived).toBe(true);
  expect((await tasks.unarchive(id)).data.archived).toBe(false);
  expect((await tasks.delete(id)).data.deleted).toBe(true);
  expect((await tasks.restore(id)).data.deleted).toBe(false);
  expect((await tasks.get(id, { version: 1 })).data.title).toBe('One');
  expect((await tasks.history(id)).data.length).toBe(15);
  expect((await tasks.stats()).data.total).toBe(2);
  const listed = await tasks.list({ status: ['pending', 'blocked'], priority: ['high'], q: 'two' });
  expect(listed.data.map((task) => task.id)).toEqual([id]);
  expect(listed.meta.total).toBe(1);
});

test('projects and tags have theirs', async () => {
  const { projects, tags } = await freshClient();
  const project = (await projects.create({ name: 'House' })).data.id;
  expect((await projects.edit(project, { name: 'Home' })).data.name).toBe('Home');
  expect((await projects.archive(project)).data.archived).toBe(true);
  expect((await projects.unarchive(project)).data.archived).toBe(false);
  expect((await projects.delete(project)).data.deleted).toBe(true);
  expect((await projects.restore(project)).data.deleted).toBe(false);
  expect((await projects.list()).data.map((it) => it.name)).toEqual(['Home']);
  expect((await projects.get(project)).data.name).toBe('Home');
  expect((await projects.history(project)).data.length).toBe(6);
  const [tag, other] = [await tags.create({ name: 'a' }), await tags.create({ name: 'b' })];
  expect((await tags.edit(tag.data.id, { name: 'c' })).data.name).toBe('c');
  await tags.merge(tag.data.id, { into: other.data.id });
  expect((await tags.list()).data.map((it) => it.name)).toEqual(['b']);
  expect((await tags.get(other.data.id)).data.name).toBe('b');
  expect((await tags.history(other.data.id)).data.length).toBeGreaterThan(0);
  expect((await tags.delete(other.data.id)).data.deleted).toBe(true);
});

test('each walks through all pages', async () => {
  const client = await freshClient();
  const titles = Array.from({ length: 25 }, (_, index) => `Task ${String(index)}`);
  await client.commands.run(
    titles.map((title) => ({ type: 'task.create' as const, args: { title } })),
  );
  const found = [];
  for await (const task of client.tasks.each({ per_page: 10 })) found.push(task.title);
  expect(found.sort()).toEqual(titles.sort());
});

test('a batch is all or nothing, or each on its own', async () => {
  const client = await freshClient();
  const good = { type: 'task.create', args: { title: 'Good' } } as const;
  const bad = { type: 'task.create', args: { title: '' } } as const;
  const refused = await failure(client.commands.run([good, bad]));
  expect(refused).toMatchObject({ status: 422, source: { pointer: '/commands/1/args/title' } });
  const each = await client.commands.run([good, bad], { atomicity: 'per_item' });
  expect(each.status).toBe(207);
  expect(each.data.results.map((result) => result.status)).toEqual([201, 422]);
  const tried = await client.commands.run([good], { dryRun: true });
  expect(tried.meta.dry_run).toBe(true);
  expect((await client.tasks.list()).meta.total).toBe(1);
});

test('a command is taken back, and has a receipt', async () => {
  const client = await freshClient();
  const made = await client.tasks.create({ title: 'One' });
  const { meta } = await client.tasks.complete(made.data.id);
  const undone = await client.commands.undo(meta.command_id);
  expect(undone.data).toMatchObject({ id: made.data.id, status: 'pending' });
  const receipt = await client.commands.get(meta.command_id);
  expect(receipt.data).toMatchObject({ type: 'task.complete', outcome: 'applied' });
});

test('an auditor reads the log, and nothing else', async () => {
  const user = `audited${newId().slice(-6)}`;
  const owner = clientOf(await freshToken({ workspace: user }));
  const { meta } = await owner.tasks.create({ title: 'One' });
  const auditor = clientOf(await freshToken({ workspace: user, role: 'auditor' }));
  const { data } = await auditor.audit.events(
    { type: ['task.created'] },
    { minSequence: meta.sequence },
  );
  expect(data.length).toBe(1);
  const id = data[0]?.event_id ?? '';
  expect((await auditor.audit.event(id)).data.leaf_hash).toMatch(/^[0-9a-f]{64}$/);
  expect(await failure(auditor.tasks.list())).toMatchObject({ code: 'role_required', status: 403 });
});

test('an error has the code, what it points at, and all others beside it', async () => {
  const client = await freshClient();
  const wrong = { title: '', priority: 'huge' } as unknown as { title: string };
  const error = await failure(client.tasks.create(wrong));
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ code: 'invalid_field', status: 422, name: 'ApiError' });
  const { errors, requestId, source, message } = error as ApiError;
  expect(source).toEqual({ pointer: '/title' });
  expect(errors.map((one) => one.source?.pointer)).toEqual(['/title', '/priority']);
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(message).toContain('A field has an invalid value: ');
  expect(await failure(client.tasks.get(newId()))).toMatchObject({ code: 'not_found' });
});

test('a version that somebody else has passed is refused', async () => {
  const { tasks } = await freshClient();
  const { data, etag } = await tasks.create({ title: 'One' });
  await tasks.edit(data.id, { title: 'Two' }, { ifMatch: etag ?? '' });
  const error = await failure(tasks.edit(data.id, { title: 'Three' }, { ifMatch: data.version }));
  expect(error).toMatchObject({ code: 'version_conflict', status: 412 });
});

test('the codes of the types are those of the server', async () => {
  const { data } = await clientOf('').meta.errors();
  const file = readFileSync(new URL('../src/generated/errors.gen.ts', import.meta.url), 'utf8');
  const known = [...file.matchAll(/\| '(\w+)'/g)].map((match) => match[1]);
  expect(known).toEqual(data.map((error) => error.code));
  expect((await clientOf('').meta.stateMachines()).data.task.states).toContain('pending');
});

test('whoever is not signed in sends no token', async () => {
  const client = clientOf('', { getToken: () => null });
  expect(await failure(client.tasks.list())).toMatchObject({ code: 'token_missing', status: 401 });
});

test('what the log says of a command names the client and what it belongs to', async () => {
  const client = await freshClient({ clientName: 'tests/1' });
  const made = await client.tasks.create({ title: 'One' }, { correlationId: 'import-7' });
  const [entry] = (await client.tasks.history(made.data.id)).data;
  expect(entry?.correlation_id).toBe('import-7');
  const [event] = (await client.audit.events()).data;
  expect(event?.context).toMatchObject({ client: 'tests/1' });
});
