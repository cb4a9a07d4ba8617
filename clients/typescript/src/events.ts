import { connection } from './connection.js';
import { ApiError } from './errors.js';
import * as operations from './generated/sdk.gen.js';
import type { StreamedEvent } from './generated/types.gen.js';
import { backOff, isRetryable } from './retry.js';
import type { Message } from './sse.js';
import type { Transport } from './transport.js';
import type { Change, HistoryEntry } from './types.js';
import { sleep } from './waiting.js';

/** An event that the read model shows by now. */
export interface StreamEvent extends StreamedEvent {
  /** Where to resume: `events({ lastEventId: event.sequence })`. */
  sequence: number;
  type: HistoryEntry['type'];
}

export interface StreamOptions {
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
  /** Told when the stream stands, and when it has broken off and will be resumed. */
  onState?: (state: 'open' | 'waiting') => void;
  /** Silence after which the stream is given up and resumed; 45,000 (three heartbeats). */
  silenceMs?: number;
}

export interface EventsOptions extends StreamOptions {
  /** The last sequence that was seen; from now on unless given. */
  lastEventId?: number;
}

export interface ChangesOptions extends StreamOptions {
  /** Changes after this sequence; 0, for all that there is, unless given. */
  since?: number;
  /** Events that one request looks at; 200 unless given, 1,000 at most. */
  limit?: number;
  /** Go on when nothing more is there, and wait for what comes. */
  follow?: boolean;
}

const SILENCE_MS = 45_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 3_000; // what the server's own `retry` says
/**
 * A stream that lived so long and announces its end, as every minute with its token, is
 * resumed at once and silently. One that ends sooner is that of a server in trouble.
 */
const LIVED_MS = 1_000;

/** Events as they become visible, each once and in order, over any number of connections. */
export async function* events(
  transport: Transport,
  options: EventsOptions,
): AsyncGenerator<StreamEvent, void, void> {
  const { signal, onState, silenceMs = SILENCE_MS } = options;
  const onOpen = () => onState?.('open');
  let last = options.lastEventId;
  for (let failures = 0; !signal?.aborted;) {
    let asked: number | undefined;
    let announced = false;
    const began = Date.now();
    try {
      last ??= await head(transport, signal);
      const place = { path: '/events/stream', after: last };
      for await (const message of connection(transport, place, { signal, silenceMs, onOpen })) {
        failures = 0;
        announced = message.type === 'reconnect';
        const event = eventOf(message);
        if (!event || event.sequence <= last) continue;
        last = event.sequence;
        yield event;
      }
      if (announced && Date.now() - began >= LIVED_MS) continue;
    } catch (error) {
      if (signal?.aborted) return;
      if (!isRetryable(error)) throw error;
      asked = error instanceof ApiError ? error.retryAfterMs : undefined;
    }
    failures++;
    onState?.('waiting');
    await pause(Math.max(asked ?? 0, backOff(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS)), signal);
  }
}

/** What the read model shows now, to begin from, lest a lost connection loses events. */
async function head(transport: Transport, signal: AbortSignal | undefined): Promise<number> {
  const parts = { query: { since: 0, limit: 1 } };
  const { meta } = await transport.query(operations.listChanges, parts, { signal });
  return meta.sequence;
}

/** The server's word that it ends the stream has no id, and is no event. */
function eventOf({ id, type, data }: Message): StreamEvent | undefined {
  if (id === undefined) return undefined;
  return {
    ...(JSON.parse(data) as StreamedEvent),
    sequence: Number(id),
    type: type as StreamEvent['type'],
  };
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, signal);
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** What changed after a sequence, and on request whatever changes from then on. */
export async function* changes(
  transport: Transport,
  { since = 0, limit, follow = false, ...options }: ChangesOptions,
): AsyncGenerator<Change, void, void> {
  const { signal } = options;
  let after = since;
  async function* upToNow(): AsyncGenerator<Change, void, void> {
    for (let more = true; more && !signal?.aborted;) {
      const parts = { query: { since: after, limit } };
      const page = await transport.query(operations.listChanges, parts, { signal });
      yield* page.data;
      after = page.meta.next_since;
      more = page.meta.more;
    }
  }
  try {
    yield* upToNow();
    if (!follow) return;
    for await (const event of events(transport, { ...options, lastEventId: after }))
      if (event.sequence > after) yield* upToNow();
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
