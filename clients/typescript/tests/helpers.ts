import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { inject, onTestFinished } from 'vitest';

import type { Client, ClientOptions } from '../src/index.js';
import { createClient } from '../src/index.js';
import type { Whose } from './server.js';
import { freePort, Issuer, Program } from './server.js';

/** Patience for a server that starts again while the machine is busy. */
export const PATIENT = { attempts: 200, baseMs: 100, longestMs: 300 };

export const folder = (): string => inject('folder');

let issuer: Issuer | undefined;

/** A token of somebody whom no other test knows, and so an empty workspace. */
export function freshToken(more: Omit<Whose, 'user'> = {}): Promise<string> {
  return tokenOf(freshUser(), more);
}

export function freshUser(): string {
  return `u${randomUUID().slice(0, 8)}`;
}

export function tokenOf(user: string, more: Omit<Whose, 'user'> = {}): Promise<string> {
  issuer ??= new Issuer(folder());
  return issuer.token({ user, ...more });
}

/** A client that ends with the test. */
export function clientOf(token: string, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    baseURL: inject('baseURL'),
    getToken: () => token,
    channel: null,
    ...options,
  });
  onTestFinished(() => {
    client.close();
  });
  return client;
}

export async function freshClient(options: Partial<ClientOptions> = {}): Promise<Client> {
  return clientOf(await freshToken(), options);
}

/** An API process of this test's own, beside the others, on the same database. */
export async function startApi(port?: number, more?: NodeJS.ProcessEnv): Promise<Program> {
  const api = await Program.start('api', folder(), port ?? (await freePort()), more);
  onTestFinished(() => api.kill());
  return api;
}

/** What a scripted server answers to one request after the other; the last one stays. */
export type Script = ((request: IncomingMessage, response: ServerResponse) => void)[];

/** A server for what ours cannot be made to answer at will, and the requests it got. */
export async function scripted(
  script: Script,
): Promise<{ baseURL: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const answer = script[Math.min(requests.length, script.length - 1)];
    requests.push(request);
    request.resume();
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { baseURL: `http://127.0.0.1:${String(port)}/api/v1`, requests };
}

/** An answer of the script, in the envelope of the API. */
export function answer(
  status: number,
  code: string | null,
  headers: Record<string, string> = {},
): Script[number] {
  const meta = { request_id: 'r1', sequence: 1 };
  const error = { code, status, title: 'T', detail: 'D', meta: {} };
  const body =
    code === null ? { data: {}, meta, errors: [] } : { data: null, meta, errors: [error] };
  return (_, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail');
}
