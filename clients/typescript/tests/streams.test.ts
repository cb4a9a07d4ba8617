import type { ServerResponse } from 'node:http';

import { expect, onTestFinished, test } from 'vitest';

import type { Client, StreamEvent, StreamOptions } from '../src/index.js';
import { ResyncRequired } from '../src/index.js';
import { messages } from '../src/sse.js';
import type { Script } from './helpers.js';
import { answer, clientOf, failure, freshToken, PATIENT, scripted, startApi } from './helpers.js';

/** Gathers what an iterator brings, until the test ends. */
function gather<T>(make: (options: StreamOptions) => AsyncIterable<T>) {
  const controller = new AbortController();
  const found: T[] = [];
  const states: string[] = [];
  const onState = (state: string) => states.push(state);
  const ended = (async () => {
    for await (const item of make({ signal: controller.signal, onState })) found.push(item);
  })();
  ended.catch(() => undefined); // whoever expects an error awaits `ended`
  onTestFinished(() => {
    controller.abort();
  });
  return {
    found,
    states,
    ended,
    stop: () => {
      controller.abort();
    },
  };
}

const until = (condition: () => unknown) =>
  expect.poll(condition, { timeout: 40_000, interval: 20 }).toBe(true);

async function create(client: Client, count: number): Promise<void> {
  for (let made = 0; made < count; made++) await client.tasks.create({ title: 'One' });
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const sequences = (events: StreamEvent[]) => events.map((event) => event.sequence);

test('events come in order, each as the log has it', async () => {
  const client = clientOf(await freshToken());
  const made = await client.tasks.create({ title: 'One' });
  await client.tasks.complete(made.data.id);
  const stream = gather((options) => client.events({ lastEventId: 0, ...options }));
  await until(() => stream.found.length === 2);
  expect(stream.found[1]).toMatchObject({
    sequence: 2,
    type: 'task.completed',
    stream: { type: 'task', id: made.data.id },
    version: 2,
    changed_fields: expect.arrayContaining(['status']) as unknown,
  });
  stream.stop();
  await stream.ended;
});

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'a stream goes on after %s, without loss or doubles',
  async (signal) => {
    const api = await startApi();
    const token = await freshToken();
    const writer = clientOf(token);
    const reader = clientOf(token, { baseURL: api.baseURL, retry: PATIENT });
    const stream = gather((options) => reader.events({ lastEventId: 0, ...options }));
    await create(writer, 5);
    await until(() => stream.found.length === 5);
    const more = create(writer, 30);
    await until(() => stream.found.length > 10); // in the middle of them
    await api.end(signal);
    await more;
    await startApi(api.port);
    await create(writer, 5);
    await until(() => stream.found.length >= 40);
    expect(sequences(stream.found)).toEqual(upTo(40));
    expect(stream.states[0]).toBe('open');
    expect(stream.states).toContain('waiting');
    expect(stream.states.at(-1)).toBe('open');
  },
);

test('a stream from now on loses nothing either, if it breaks off at once', async () => {
  const token = await freshToken();
  const writer = clientOf(token);
  await create(writer, 3);
  await writer.tasks.list();
  const api = await startApi();
  const reader = clientOf(token, { baseURL: api.baseURL, retry: PATIENT });
  const stream = gather((options) => reader.events(options));
  await until(() => stream.states.includes('open'));
  await api.kill();
  await create(writer, 2); // while nobody listens
  await startApi(api.port);
  await until(() => stream.found.length >= 2);
  expect(sequences(stream.found)).toEqual([4, 5]);
});

test('an iteration goes on from where another one stopped', async () => {
  const client = clientOf(await freshToken());
  await create(client, 6);
  const found: number[] = [];
  for await (const event of client.events({ lastEventId: 0 })) {
    found.push(event.sequence);
    if (found.length === 3) break;
  }
  for await (const event of client.events({ lastEventId: 3 })) {
    found.push(event.sequence);
    if (found.length === 6) break;
  }
  expect(found).toEqual(upTo(6));
});

test('changes are the resources as they are now, page after page', async () => {
  const client = clientOf(await freshToken());
  await create(client, 7);
  const { data } = await client.tasks.create({ title: 'Last' });
  await client.tasks.edit(data.id, { title: 'Changed' });
  await client.tasks.list();
  const found = [];
  for await (const change of client.changes({ limit: 3 })) found.push(change);
  expect(found.map((change) => change.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 9]);
  expect(found.at(-1)).toMatchObject({ type: 'task', id: data.id, data: { title: 'Changed' } });
  const later = [];
  for await (const change of client.changes({ since: 7 })) later.push(change.sequence);
  expect(later).toEqual([9]);
});

test('changes that are followed go on over a restart', async () => {
  const api = await startApi();
  const token = await freshToken();
  const writer = clientOf(token);
  const reader = clientOf(token, { baseURL: api.baseURL, retry: PATIENT });
  await create(writer, 3);
  await writer.tasks.list();
  const feed = gather((options) => reader.changes({ follow: true, ...options }));
  await until(() => feed.found.length === 3);
  await create(writer, 2);
  await until(() => feed.found.length === 5);
  await api.kill();
  await create(writer, 3);
  await startApi(api.port);
  await until(() => feed.found.length >= 8);
  expect(feed.found.map((change) => change.sequence)).toEqual(upTo(8));
  feed.stop();
  await feed.ended;
});

test('whoever may not read gets the error, not silence', async () => {
  const auditor = clientOf(await freshToken({ role: 'auditor' }));
  const refused = gather((options) => auditor.events({ lastEventId: 0, ...options }));
  expect(await failure(refused.ended)).toMatchObject({ code: 'role_required' });
});

const eventStream =
  (write: (response: ServerResponse) => void): Script[number] =>
  (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    write(response);
  };
const event = (id: number) => `id: ${String(id)}\nevent: task.created\ndata: {}\n\n`;

test('a stream that falls silent is resumed after the last event', async () => {
  const { baseURL, requests } = await scripted([
    eventStream((response) => response.write(event(1))), // and nothing more, for ever
    eventStream((response) => response.write(event(1) + event(2))),
  ]);
  const client = clientOf('', { baseURL });
  const stream = gather((options) => client.events({ lastEventId: 0, silenceMs: 100, ...options }));
  await until(() => stream.found.length >= 2);
  expect(sequences(stream.found)).toEqual([1, 2]);
  const resumed = requests.slice(0, 2).map((request) => request.headers['last-event-id']);
  expect(resumed).toEqual(['0', '1']);
});

test('what a stream has shown, queries must show', async () => {
  const { baseURL, requests } = await scripted([
    eventStream((response) => response.write(event(7))),
    answer(200, null),
  ]);
  const client = clientOf('', { baseURL, workspace: 'w' });
  for await (const { sequence } of client.events({ lastEventId: 0 })) {
    expect(sequence).toBe(7);
    break;
  }
  await client.tasks.list();
  expect(requests.at(-1)?.headers['metacortex-min-sequence']).toBe('7');
});

test('heartbeats keep a stream', async () => {
  let timer: NodeJS.Timeout | undefined;
  const { baseURL, requests } = await scripted([
    eventStream((response) => {
      let beats = 0;
      timer = setInterval(() => response.write(++beats < 10 ? ': still here\n\n' : event(1)), 50);
    }),
  ]);
  onTestFinished(() => {
    clearInterval(timer);
  });
  const client = clientOf('', { baseURL });
  const stream = gather((options) => client.events({ lastEventId: 0, silenceMs: 400, ...options }));
  await until(() => stream.found.length > 0);
  expect(requests.length).toBe(1);
});

test('a busy server is asked again, and one that lost the log is an error', async () => {
  const { baseURL, requests } = await scripted([
    answer(503, 'shutting_down', { 'Retry-After': '1' }),
    eventStream((response) => response.end(`${event(7)}event: reconnect\ndata: {}\n\n`)),
    answer(410, 'resync_required'),
  ]);
  const client = clientOf('', { baseURL });
  const stream = gather((options) => client.events({ lastEventId: 6, ...options }));
  const error = await failure(stream.ended);
  expect(error).toBeInstanceOf(ResyncRequired);
  expect(error).toMatchObject({ status: 410, code: 'resync_required' });
  expect(sequences(stream.found)).toEqual([7]);
  expect(requests.length).toBe(3);
});

test('an announced end is no interruption', async () => {
  const { baseURL, requests } = await scripted([
    eventStream((response) => {
      response.write(event(1));
      setTimeout(() => response.end('event: reconnect\ndata: {}\n\n'), 1_100);
    }),
    eventStream((response) => response.write(event(2))),
  ]);
  const client = clientOf('', { baseURL });
  const stream = gather((options) => client.events({ lastEventId: 0, ...options }));
  await until(() => stream.found.length === 2);
  expect(sequences(stream.found)).toEqual([1, 2]);
  expect(stream.states).toEqual(['open', 'open']);
  expect(requests.at(-1)?.headers['last-event-id']).toBe('1');
});

test('an expired token is renewed for a stream as well', async () => {
  const { baseURL, requests } = await scripted([
    answer(401, 'token_expired'),
    eventStream((response) => response.write(event(1))),
  ]);
  const client = clientOf('', { baseURL, getToken: ({ renew }) => (renew ? 'new' : 'old') });
  const stream = gather((options) => client.events({ lastEventId: 0, ...options }));
  await until(() => stream.found.length === 1);
  const tokens = requests.map((request) => request.headers.authorization);
  expect(tokens).toEqual(['Bearer old', 'Bearer new']);
});

test('chunks may end anywhere, in a character too', async () => {
  const text =
    ': hi\n\nid: 1\nevent: a\ndata: {"t":"ü"}\n\nid:2\r\ndata\r\ndata: y\r\n\r\nretry: 3\n\n';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const chunks = async function* () {
      for (let at = 0; at < bytes.length; at += size) {
        yield bytes.slice(at, at + size);
        await Promise.resolve();
      }
    };
    const found = [];
    for await (const message of messages(chunks())) found.push(message);
    expect(found).toEqual([
      { id: '1', type: 'a', data: '{"t":"ü"}' },
      { id: '2', type: 'message', data: '\ny' },
    ]);
  }
});
