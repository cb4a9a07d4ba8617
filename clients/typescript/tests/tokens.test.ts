import { beforeAll, expect, test } from 'vitest';

import { Tokens, workspaceOf } from '../src/token.js';
import { clientOf, failure, freshToken, freshUser, tokenOf } from './helpers.js';

const LEEWAY_MS = 5_000; // how long the server takes tokens that have expired

let user: string;
let expired: string;
let expiresAt: number;

beforeAll(async () => {
  user = freshUser();
  expired = await tokenOf(user, { ttl_s: 1 });
  expiresAt = Date.now() + 1_000 + LEEWAY_MS;
});

async function untilExpired(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, expiresAt + 1_000 - Date.now()));
}

test('a token that expires in the middle is renewed, and nobody notices', async () => {
  const next = await tokenOf(user);
  const asked: boolean[] = [];
  let token = expired;
  const client = clientOf('', {
    getToken: ({ renew }) => {
      asked.push(renew);
      if (renew) token = next;
      return token;
    },
  });
  await client.tasks.create({ title: 'Before' });
  expect(asked).toEqual([false]);
  await untilExpired();
  await client.tasks.create({ title: 'After' });
  expect(asked).toEqual([false, false, true]);
  expect((await client.tasks.list()).meta.total).toBe(2);
  expect(asked).toEqual([false, false, true, false]);
});

test('50 parallel calls cause one question and one renewal', async () => {
  await untilExpired();
  const next = await tokenOf(user);
  const asked: boolean[] = [];
  const client = clientOf('', {
    getToken: async ({ renew }) => {
      asked.push(renew);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return renew ? next : expired;
    },
  });
  const calls = Array.from({ length: 50 }, (_, index) =>
    client.tasks.create({ title: `Task ${String(index)}` }),
  );
  const made = await Promise.all(calls);
  expect(new Set(made.map(({ data }) => data.id)).size).toBe(50);
  expect(asked).toEqual([false, true]);
});

test('whoever learns late that a token had expired renews it no second time', async () => {
  await untilExpired();
  const next = await tokenOf(user);
  let renewals = 0;
  const getToken = ({ renew }: { renew: boolean }) => {
    if (renew) renewals++;
    return renew ? next : expired;
  };
  const client = clientOf('', { getToken });
  await client.tasks.list();
  await client.tasks.list();
  expect(renewals).toBe(1);
});

test('a renewal that brings nothing new is the error, after one try', async () => {
  await untilExpired();
  const asked: boolean[] = [];
  const client = clientOf('', {
    getToken: ({ renew }) => {
      asked.push(renew);
      return expired;
    },
  });
  expect(await failure(client.tasks.list())).toMatchObject({ code: 'token_expired', status: 401 });
  expect(asked).toEqual([false, true]);
  expect(await failure(client.tasks.list())).toMatchObject({ code: 'token_expired' });
  expect(asked).toEqual([false, true, false, true]);
});

test('a token that is refused for another reason is not renewed', async () => {
  const asked: boolean[] = [];
  const client = clientOf('', {
    getToken: ({ renew }) => {
      asked.push(renew);
      return 'a.b.c';
    },
  });
  expect(await failure(client.tasks.list())).toMatchObject({ code: 'token_invalid' });
  expect(asked).toEqual([false]);
});

test('what getToken throws is what the call throws, and the next call asks again', async () => {
  const token = await freshToken();
  let times = 0;
  const client = clientOf('', {
    getToken: () => {
      if (times++ === 0) throw new Error('No session');
      return token;
    },
  });
  expect(await failure(client.tasks.list())).toMatchObject({ message: 'No session' });
  expect((await client.tasks.list()).data).toEqual([]);
});

test('an aborted call waits for no token', async () => {
  const tokens = new Tokens(() => new Promise<string>(() => undefined));
  const signal = AbortSignal.timeout(20);
  const error = await failure(tokens.use(() => Promise.resolve(1), signal));
  expect(error).toMatchObject({ name: 'TimeoutError' });
});

test('the workspace of a token is its organisation, else its person', async () => {
  expect(workspaceOf(await tokenOf(user))).toBe(`user_${user}`);
  expect(workspaceOf(await tokenOf(user, { workspace: 'Team' }))).toBe('org_Team');
  const encoded = (claims: object) =>
    `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
  expect(workspaceOf(encoded({ sub: 'user_ä', org_id: 'org_ü' }))).toBe('org_ü'); // version 1
  expect(workspaceOf('nonsense')).toBeUndefined();
  expect(workspaceOf('a.%.c')).toBeUndefined();
  expect(workspaceOf(null)).toBeUndefined();
});
