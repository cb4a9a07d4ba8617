import { failureOf, NetworkError } from './errors.js';
import type { Message } from './sse.js';
import { messages } from './sse.js';
import type { Transport } from './transport.js';

/** Which stream, and the last event of it that was seen. */
export interface Place {
  path: string;
  after?: number;
}

export interface ConnectionOptions {
  signal?: AbortSignal | undefined;
  silenceMs: number;
  onOpen: () => void;
}

/**
 * One connection of a stream of events. By `fetch`, since an EventSource
 * cannot send a token. Ends when the server ends it; throws ApiError or NetworkError.
 */
export async function* connection(
  transport: Transport,
  place: Place,
  { signal, silenceMs, onOpen }: ConnectionOptions,
): AsyncGenerator<Message, void, void> {
  const ended = new AbortController();
  const end = () => {
    ended.abort();
  };
  if (signal?.aborted) return;
  signal?.addEventListener('abort', end, { once: true });
  try {
    const open = (token: string | null) => request(transport, place, token, ended.signal);
    const { body, workspace } = await transport.tokens.use(open, ended.signal);
    onOpen();
    for await (const message of messages(chunks(body, silenceMs))) {
      if (message.id !== undefined) transport.sequences.see(workspace, Number(message.id));
      yield message;
    }
  } finally {
    signal?.removeEventListener('abort', end);
    end();
  }
}

async function request(
  transport: Transport,
  { path, after }: Place,
  token: string | null,
  signal: AbortSignal,
): Promise<{ body: ReadableStream<Uint8Array>; workspace: string | undefined }> {
  const workspace = transport.workspace(token);
  const headers = {
    ...transport.headers(token),
    Accept: 'text/event-stream',
    ...(after !== undefined && { 'Last-Event-ID': String(after) }),
  };
  const url = transport.settings.baseURL + path;
  const answer = await unlessLost(fetch(url, { headers, signal, cache: 'no-store' }));
  if (answer.ok && answer.body) return { body: answer.body, workspace };
  if (answer.status === 410) transport.sequences.forget(workspace);
  const body: unknown = await answer.json().catch(() => undefined);
  throw failureOf(answer.status, body, (name) => answer.headers.get(name) ?? undefined);
}

/** What arrives; silence for too long counts as a connection that was lost. */
async function* chunks(
  body: ReadableStream<Uint8Array>,
  silenceMs: number,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await unlessLost(within(reader.read(), silenceMs));
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it may be lost already
  }
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing came for ${String(ms)} ms`));
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What fetch and its readers reject with, apart from ours, means that the line is cut. */
async function unlessLost<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw new NetworkError(error);
  }
}
