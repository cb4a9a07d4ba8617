import { expect, test } from 'vitest';

import { ApiError, NetworkError } from '../src/index.js';
import {
  answer,
  clientOf,
  failure,
  freshClient,
  freshToken,
  PATIENT,
  scripted,
  startApi,
} from './helpers.js';
import { relay } from './relay.js';
import { freePort } from './server.js';

const QUICK = { attempts: 4, baseMs: 1, longestMs: 5 };

test('a server that dies before it answers has done the command once', async () => {
  const api = await startApi();
  let answers = 0;
  let again: Promise<unknown> | undefined;
  const port = await relay(api.port, async () => {
    if (++answers > 1) return true;
    await api.kill(); // the command is done, and nobody has been told
    again = startApi(api.port);
    return false;
  });
  const client = await freshClient({
    baseURL: `http://127.0.0.1:${String(port)}/api/v1`,
    retry: PATIENT,
  });
  const made = await client.tasks.create({ title: 'Once' });
  await again;
  expect(answers).toBe(2);
  expect(made.meta.replayed).toBe(true);
  const { data, meta } = await client.tasks.list();
  expect(meta.total).toBe(1);
  expect(data[0]?.id).toBe(made.data.id);
});

test('twenty commands in flight outlive a server that is killed', async () => {
  const api = await startApi();
  const client = await freshClient({ baseURL: api.baseURL, retry: PATIENT });
  await client.tasks.create({ title: 'Warm' });
  const calls = Array.from({ length: 20 }, (_, index) =>
    client.tasks.create({ title: `Task ${String(index)}` }),
  );
  await Promise.race(calls); // some are done, others are not
  await api.kill();
  await startApi(api.port);
  const made = await Promise.all(calls);
  const { data, meta } = await client.tasks.list({ q: 'task' });
  expect(meta.total).toBe(20);
  expect(data.map((task) => task.id).sort()).toEqual(made.map((it) => it.data.id).sort());
});

test('the commands of a batch keep their keys over a dead server', async () => {
  const api = await startApi();
  let answers = 0;
  const port = await relay(api.port, async () => {
    if (++answers > 1) return true;
    await api.kill();
    void startApi(api.port);
    return false;
  });
  const baseURL = `http://127.0.0.1:${String(port)}/api/v1`;
  const client = await freshClient({ baseURL, retry: PATIENT });
  const commands = ['a', 'b', 'c'].map((title) => ({
    type: 'task.create' as const,
    args: { title },
  }));
  const { data } = await client.commands.run(commands);
  expect(data.results.map((result) => result.status)).toEqual([201, 201, 201]);
  expect((await client.tasks.list()).meta.total).toBe(3);
});

test('each call has a key of its own, and a given one is kept', async () => {
  const client = await freshClient();
  const [one, two] = await Promise.all([
    client.tasks.create({ title: 'Same' }),
    client.tasks.create({ title: 'Same' }),
  ]);
  expect(one.data.id).not.toBe(two.data.id);
  const options = { idempotencyKey: 'my own key'.replaceAll(' ', '-') };
  const first = await client.tasks.create({ title: 'Mine' }, options);
  const again = await client.tasks.create({ title: 'Mine' }, options);
  expect(again.data.id).toBe(first.data.id);
  expect(again.meta.replayed).toBe(true);
  expect(await failure(client.tasks.create({ title: 'Other' }, options))).toMatchObject({
    code: 'idempotency_key_reused',
    idempotencyKey: options.idempotencyKey,
  });
});

test.each([
  ['429', answer(429, 'rate_limited', { 'Retry-After': '1' })],
  ['503', answer(503, 'overloaded', { 'Retry-After': '1' })],
  ['409, the key being in flight', answer(409, 'in_flight', { 'Retry-After': '1' })],
])('%s is tried again when the server says, under the same key', async (_, busy) => {
  const { baseURL, requests } = await scripted([busy, answer(201, null)]);
  const client = clientOf('', { baseURL, retry: QUICK });
  const began = Date.now();
  await client.tasks.create({ title: 'One' });
  expect(Date.now() - began).toBeGreaterThanOrEqual(1_000);
  const keys = requests.map((request) => request.headers['idempotency-key']);
  expect(keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  expect(keys).toEqual([keys[0], keys[0]]);
});

test('Retry-After may be a date', async () => {
  const date = new Date(Date.now() + 2_000).toUTCString(); // whole seconds: 1 to 2 s
  const { baseURL, requests } = await scripted([
    answer(503, 'overloaded', { 'Retry-After': date }),
    answer(200, null),
  ]);
  const began = Date.now();
  await clientOf('', { baseURL, retry: QUICK }).tasks.list();
  expect(Date.now() - began).toBeGreaterThanOrEqual(900);
  expect(requests.length).toBe(2);
});

test('a Retry-After beyond the limit is the error at once', async () => {
  const { baseURL, requests } = await scripted([
    answer(429, 'rate_limited', { 'Retry-After': '60' }),
  ]);
  const error = await failure(clientOf('', { baseURL, retry: QUICK }).tasks.list());
  expect(error).toMatchObject({ status: 429, retryAfterMs: 60_000 });
  expect(requests.length).toBe(1);
});

test.each([
  ['a rule that refuses', 409, 'open_subtasks'],
  ['a crash', 500, 'internal_error'],
  ['a wrong field', 422, 'invalid_field'],
])('%s is not tried again', async (_, status, code) => {
  const { baseURL, requests } = await scripted([answer(status, code)]);
  const error = await failure(clientOf('', { baseURL, retry: QUICK }).tasks.complete('x'));
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status, code });
  expect(requests.length).toBe(1);
});

test('attempts are bounded, by the client or by the call', async () => {
  const { baseURL, requests } = await scripted([answer(503, 'overloaded')]);
  const { tasks } = clientOf('', { baseURL, retry: QUICK });
  expect(await failure(tasks.list())).toMatchObject({ code: 'overloaded' });
  expect(requests.length).toBe(QUICK.attempts);
  await failure(tasks.list({}, { retry: { attempts: 1 } }));
  expect(requests.length).toBe(QUICK.attempts + 1);
});

test('a server that is away is a NetworkError that names the key', async () => {
  const baseURL = `http://127.0.0.1:${String(await freePort())}/api/v1`;
  const { tasks } = clientOf('', { baseURL, retry: QUICK });
  const error = await failure(tasks.create({ title: 'One' }, { idempotencyKey: 'k1' }));
  expect(error).toBeInstanceOf(NetworkError);
  expect(error).toMatchObject({ idempotencyKey: 'k1' });
});

test('an attempt that takes too long is tried again', async () => {
  const silent = () => undefined;
  const { baseURL, requests } = await scripted([silent, answer(200, null)]);
  await clientOf('', { baseURL, retry: QUICK, timeoutMs: 100 }).tasks.list();
  expect(requests.length).toBe(2);
});

test('a gateway without a server is tried again, another page is not understood', async () => {
  const page = (status: number) => (_: unknown, response: import('node:http').ServerResponse) => {
    response.writeHead(status, { 'Content-Type': 'text/html' });
    response.end('<h1>Gateway</h1>');
  };
  const away = await scripted([page(502), page(504), answer(200, null)]);
  await clientOf('', { baseURL: away.baseURL, retry: QUICK }).tasks.list();
  expect(away.requests.length).toBe(3);
  for (const status of [200, 404]) {
    const { baseURL } = await scripted([page(status)]);
    const error = await failure(clientOf('', { baseURL, retry: QUICK }).tasks.list());
    expect(error).toMatchObject({ code: 'unexpected_answer', status, errors: [] });
  }
});

test('a call that is aborted before it begins sends nothing', async () => {
  const { baseURL, requests } = await scripted([answer(200, null)]);
  const signal = AbortSignal.abort();
  expect(await failure(clientOf('', { baseURL }).tasks.list({}, { signal }))).toBe(signal.reason);
  expect(requests.length).toBe(0);
});

test('a call that is aborted in flight rejects with the reason', async () => {
  const controller = new AbortController();
  const reason = new Error('No longer wanted');
  const silent = () => {
    controller.abort(reason);
  };
  const { baseURL, requests } = await scripted([silent]);
  const { signal } = controller;
  expect(await failure(clientOf('', { baseURL }).tasks.list({}, { signal }))).toBe(reason);
  expect(requests.length).toBe(1);
});

test('a call that is aborted between attempts makes no other', async () => {
  const controller = new AbortController();
  const busy = answer(503, 'overloaded', { 'Retry-After': '3600' });
  const { baseURL, requests } = await scripted([
    (request, response) => {
      busy(request, response);
      response.on('close', () =>
        setTimeout(() => {
          controller.abort();
        }, 100),
      );
    },
  ]);
  const { signal } = controller;
  const client = clientOf('', { baseURL, retry: { longestRetryAfterMs: 4_000_000 } });
  const error = await failure(client.tasks.list({}, { signal }));
  expect(error).toMatchObject({ name: 'AbortError' });
  expect(requests.length).toBe(1);
});

test('a server that takes few commands at once gets them all in the end', async () => {
  const api = await startApi(undefined, { METACORTEX_LANE_CAPACITY: '5' });
  const client = clientOf(await freshToken(), { baseURL: api.baseURL, retry: PATIENT });
  const create = (attempts: number) =>
    Array.from({ length: 100 }, (_, index) =>
      client.tasks.create({ title: `Task ${String(index)}` }, { retry: { attempts } }),
    );
  const once = await Promise.allSettled(create(1));
  const refused = once.filter((call) => call.status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.every((call) => (call.reason as ApiError).code === 'overloaded')).toBe(true);
  await Promise.all(create(PATIENT.attempts));
  const { meta } = await client.tasks.list({ per_page: 1 });
  expect(meta.total).toBe(200 - refused.length);
});
