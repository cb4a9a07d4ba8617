import axios from 'axios';
import type { AxiosInstance, AxiosResponse } from 'axios';

import { ApiError, failureOf, NetworkError } from './errors.js';
import { createClient as createGenerated } from './generated/client/index.js';
import type { Client as Generated } from './generated/client/index.js';
import { newId } from './ids.js';
import type { Operation, Result, ResultOf } from './operations.js';
import type { CallOptions, CommandOptions, QueryOptions, Settings } from './options.js';
import { retrying } from './retry.js';
import { Sequences } from './sequences.js';
import { Tokens, workspaceOf } from './token.js';
import { reasonOf } from './waiting.js';

type Headers = Record<string, string>;

/** The parts of a request, as the generated functions take them. */
export interface Parts {
  path?: unknown;
  query?: unknown;
  body?: unknown;
}

interface Envelope {
  data: unknown;
  meta: unknown;
}

/** Sends requests: tokens, keys, retries, sequences, errors. */
export class Transport {
  readonly sequences: Sequences;
  readonly tokens: Tokens;
  readonly #generated: Generated;

  constructor(readonly settings: Settings) {
    this.sequences = new Sequences(settings.name, settings.channel, settings.storage);
    this.tokens = new Tokens(settings.getToken);
    this.#generated = createGenerated({
      axios: this.#instance(),
      baseURL: settings.baseURL,
      throwOnError: true,
    });
  }

  /** Runs a command; its key is made here, once, and kept over every attempt. */
  async command<F extends Operation>(
    operation: F,
    parts: Parts,
    options: CommandOptions = {},
  ): Promise<ResultOf<F>> {
    const key = options.idempotencyKey ?? newId();
    const headers: Headers = { 'Idempotency-Key': key };
    if (options.ifMatch !== undefined) headers['If-Match'] = quoted(options.ifMatch);
    try {
      return await this.#send(operation, parts, headers, options);
    } catch (error) {
      if (error instanceof ApiError || error instanceof NetworkError) error.idempotencyKey = key;
      throw error;
    }
  }

  /** Runs commands that bring keys of their own. */
  batch<F extends Operation>(
    operation: F,
    parts: Parts,
    options: CallOptions = {},
  ): Promise<ResultOf<F>> {
    return this.#send(operation, parts, {}, options);
  }

  /** Asks a query, which shows at least what this client has seen. */
  query<F extends Operation>(
    operation: F,
    parts: Parts,
    options: QueryOptions = {},
  ): Promise<ResultOf<F>> {
    const headers: Headers = {};
    const preferences = preferencesOf(options);
    if (preferences) headers.Prefer = preferences;
    if (options.minSequence !== undefined) headers[MIN_SEQUENCE] = String(options.minSequence);
    return this.#send(operation, parts, headers, options);
  }

  /** The headers that every request carries. */
  headers(token: string | null): Headers {
    const headers: Headers = { 'Metacortex-Client': this.settings.clientName };
    if (token !== null) headers.Authorization = `Bearer ${token}`;
    return headers;
  }

  workspace(token: string | null): string | undefined {
    return this.settings.workspace ?? workspaceOf(token);
  }

  async #send<F extends Operation>(
    operation: F,
    parts: Parts,
    headers: Headers,
    options: CallOptions,
  ): Promise<ResultOf<F>> {
    const { signal, correlationId } = options;
    if (correlationId !== undefined) headers['X-Correlation-Id'] = correlationId;
    const attempt = (token: string | null) =>
      operation({
        ...parts,
        client: this.#generated,
        headers: { ...headers, ...this.headers(token) },
        signal,
        timeout: options.timeoutMs ?? this.settings.timeoutMs,
      }) as Promise<AxiosResponse<Envelope>>;
    const answer = await retrying(
      () => this.tokens.use(attempt, signal),
      { ...this.settings.retry, ...options.retry },
      signal,
    );
    return resultOf(answer) as ResultOf<F>;
  }

  #instance(): AxiosInstance {
    const instance = axios.create();
    instance.interceptors.request.use((config) => {
      const seen = this.sequences.of(this.workspace(tokenIn(config.headers)));
      if (config.method?.toUpperCase() === 'GET' && seen > 0 && !config.headers.has(MIN_SEQUENCE))
        config.headers.set(MIN_SEQUENCE, String(seen));
      return config;
    });
    instance.interceptors.response.use(
      (answer) => {
        const workspace = this.workspace(tokenIn(answer.config.headers));
        this.sequences.see(workspace, Number(answer.headers['metacortex-sequence']));
        return answer;
      },
      (error: unknown) => {
        throw this.#translated(error);
      },
    );
    return instance;
  }

  /** What axios threw, in our terms. */
  #translated(error: unknown): unknown {
    if (!axios.isAxiosError(error)) return error;
    const { config, response } = error;
    if (axios.isCancel(error)) return reasonOf(config?.signal as AbortSignal | undefined);
    if (!response) return new NetworkError(error);
    if (response.status === 410) this.sequences.forget(this.workspace(tokenIn(config?.headers)));
    return failureOf(response.status, response.data, (name) => text(response.headers[name]));
  }
}

const MIN_SEQUENCE = 'Metacortex-Min-Sequence';

function resultOf(answer: AxiosResponse<Envelope>): Result<unknown, unknown> {
  const { data, status, headers } = answer;
  if (typeof data !== 'object' || !('data' in data))
    throw failureOf(status, undefined, (name) => text(headers[name]));
  return { data: data.data, meta: data.meta, status, etag: text(headers.etag) };
}

function tokenIn(headers: { get(name: string): unknown } | undefined): string | null {
  return text(headers?.get('Authorization'))?.replace('Bearer ', '') ?? null;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A version as the tag that the server gave it; what is a tag already stays. */
function quoted(version: number | string): string {
  return typeof version === 'number' ? `"${String(version)}"` : version;
}

function preferencesOf({ wait, lenient, count }: QueryOptions): string {
  const found = [];
  if (wait !== undefined) found.push(`wait=${String(wait)}`);
  if (lenient) found.push('handling=lenient');
  if (count) found.push(`count=${count}`);
  return found.join(', ');
}
