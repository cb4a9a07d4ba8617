import type { RetryOptions } from './retry.js';
import { RETRY } from './retry.js';
import type { Channel, TextStorage } from './sequences.js';
import { openChannel } from './sequences.js';
import type { GetToken } from './token.js';

/** What `createClient` takes. */
export interface ClientOptions {
  /** Where the API is: `/api/v1` in the browser, `http://127.0.0.1:8000/api/v1` elsewhere. */
  baseURL: string;
  getToken: GetToken;
  /** Tells apart what is kept; read off each token unless given. */
  workspace?: string;
  /** Stands in the log beside each command; the name of this package unless given. */
  clientName?: string;
  retry?: RetryOptions;
  /** How long one attempt may take; 30,000 unless given. */
  timeoutMs?: number;
  /** Keeps the highest sequence over a reload, as `sessionStorage` can; none unless given. */
  storage?: TextStorage | null;
  /** Shares the highest sequence with other tabs; a BroadcastChannel where there is one. */
  channel?: Channel | null;
}

/** What every call takes. */
export interface CallOptions {
  signal?: AbortSignal;
  /** Of this call, in place of the client's. */
  retry?: RetryOptions;
  timeoutMs?: number;
  /** Binds calls together in the log: one for all that a user's action leads to. */
  correlationId?: string;
}

export interface CommandOptions extends CallOptions {
  /** A UUID, or 1 to 255 visible characters; made for this call unless given. */
  idempotencyKey?: string;
  /** The version that the user saw, or an `etag`; another one refuses the command. */
  ifMatch?: number | string;
}

export interface QueryOptions extends CallOptions {
  /** Wait for this sequence in place of the highest seen; 0 waits for none. */
  minSequence?: number;
  /** Seconds to wait for it; 2 unless given, 10 at most. */
  wait?: number;
  /** Take what there is after the wait: `meta.stale` says so. */
  lenient?: boolean;
  /** Whether to count the rows of a list. */
  count?: 'none' | 'exact';
}

/** The options with everything filled in. */
export interface Settings {
  baseURL: string;
  getToken: GetToken;
  workspace: string | undefined;
  clientName: string;
  retry: Required<RetryOptions>;
  timeoutMs: number;
  /** Of the channel, and of what is stored. */
  name: string;
  storage: TextStorage | null;
  channel: Channel | null;
}

export function settingsOf(options: ClientOptions): Settings {
  const baseURL = options.baseURL.replace(/\/+$/, '');
  const name = `metacortex:${baseURL}`;
  return {
    baseURL,
    getToken: options.getToken,
    workspace: options.workspace,
    clientName: options.clientName ?? '@metacortex/client',
    retry: { ...RETRY, ...options.retry },
    timeoutMs: options.timeoutMs ?? 30_000, // the longest wait of a query is 10 s
    name,
    storage: options.storage ?? null,
    channel: options.channel === undefined ? openChannel(name) : options.channel,
  };
}
