/** The API as synchronisation sees it. */
import {
  ApiError,
  type Client,
  NetworkError,
  operations,
  ResyncRequired,
} from "@metacortex/client";

import { SignInRefused } from "../auth/development.ts";
import {
  type Batch,
  type Changes,
  type Gateway,
  type Outcome,
  Resync,
  Unreachable,
} from "../sync/gateway.ts";
import type { Command, Refusal } from "../sync/pending.ts";
import { type Document, isKind, type Kind, type Row } from "../sync/rows.ts";

const PAGE = 200; // the most that the API gives
const EVENTS = 1000; // of the change feed at a time; the most that it gives
const ONCE = { retry: { attempts: 1 } }; // the queue itself repeats, and says so

type Identified = Command & { id: string };

/** Answers that say nothing about the request itself: it is repeated later. */
function isPassing(error: ApiError): boolean {
  const { status, retryAfterMs } = error;
  if (status === 409) return retryAfterMs !== undefined;
  return status >= 500 || status === 401 || status === 408 || status === 429;
}

/** In the terms of synchronisation; what is neither passing nor a refusal is a defect. */
function translated(error: unknown): unknown {
  if (error instanceof ResyncRequired) return new Resync(error.message);
  if (error instanceof NetworkError || error instanceof SignInRefused)
    return new Unreachable(error.message);
  if (error instanceof ApiError && isPassing(error))
    return new Unreachable(error.message);
  return error;
}

async function asking<T>(question: Promise<T>): Promise<T> {
  try {
    return await question;
  } catch (error) {
    throw translated(error);
  }
}

const refusal = ({ code, title, detail }: Refusal): Outcome => ({
  refusal: { code, title, detail },
});

/** The outcome of a request that was answered with an error. */
async function refusable(
  question: Promise<Outcome[]>,
  count: number,
): Promise<Outcome[]> {
  try {
    return await question;
  } catch (error) {
    if (!(error instanceof ApiError) || isPassing(error)) throw error;
    return Array.from({ length: count }, () => refusal(error));
  }
}

const bodies = (commands: readonly Identified[]) =>
  commands.map(({ id, type, target, args }) =>
    target ? { id, type, target, args } : { id, type, args },
  ) as Parameters<Client["commands"]["run"]>[0];

async function run(
  client: Client,
  commands: readonly Identified[],
  atomicity: "all" | "per_item",
): Promise<Outcome[]> {
  const { data } = await client.commands.run(bodies(commands), { ...ONCE, atomicity });
  return data.results.map((it) => {
    const [error] = it.errors;
    if (error) return refusal(error);
    return { sequence: (it.meta as { sequence: number }).sequence };
  });
}

const LISTS = {
  task: operations.listTasks,
  project: operations.listProjects,
  tag: operations.listTags,
  section: operations.listSections,
};

async function* pages(
  client: Client,
  type: Kind,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  let cursor: string | null = null;
  do {
    const query: object = { per_page: PAGE, ...(cursor === null ? {} : { cursor }) };
    const asked = client.query(
      LISTS[type],
      { query },
      { signal, ...ONCE, count: "none" },
    );
    const { data, meta } = await asking(asked);
    const documents = (data as Row[]).map((row) => ({ type, data: row }));
    cursor = meta.next_cursor;
    yield { documents, sequence: meta.sequence, more: cursor !== null };
  } while (cursor !== null);
}

async function changes(
  client: Client,
  since: number,
  atLeast: number,
): Promise<Changes> {
  const asked = { ...ONCE, ...(atLeast > 0 && { minSequence: atLeast }) };
  const query = { since, limit: EVENTS };
  const { data, meta } = await client.query(operations.listChanges, { query }, asked);
  const documents = data.filter((it) => isKind(it.type) && it.data) as Document[];
  return { documents, sequence: meta.sequence, next: meta.next_since, more: meta.more };
}

/** Ends when the connection does, so that whoever follows says so and comes back. */
async function* events(
  client: Client,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<number> {
  const lost = new AbortController();
  signal.addEventListener("abort", () => lost.abort(), { once: true });
  let opened: () => void = () => undefined;
  const open = new Promise<void>((resolve) => (opened = resolve));
  const onState = (state: "open" | "waiting") =>
    state === "open" ? opened() : lost.abort();
  const stream = client.events({ lastEventId: after, signal: lost.signal, onState });
  const first = stream.next();
  await Promise.race([open, first]);
  if (lost.signal.aborted) throw new Unreachable("the stream is not there");
  yield 0;
  for (let next = await first; !next.done; next = await stream.next())
    yield next.value.sequence;
  if (!signal.aborted) throw new Unreachable("the stream has ended");
}

async function* translating(stream: AsyncIterable<number>): AsyncGenerator<number> {
  try {
    yield* stream;
  } catch (error) {
    throw translated(error);
  }
}

export function gatewayOf(client: Client): Gateway {
  return {
    run: (commands) =>
      asking(refusable(run(client, commands, "per_item"), commands.length)),
    runAll: (commands) =>
      asking(refusable(run(client, commands, "all"), commands.length)),
    undo: async (commandId, id) => {
      const asked = { ...ONCE, idempotencyKey: id };
      const undone = client.commands
        .undo(commandId, asked)
        .then(({ meta }) => [{ sequence: (meta as { sequence: number }).sequence }]);
      const [outcome] = await asking(refusable(undone, 1));
      if (!outcome) throw new Error("an undo has one outcome");
      return outcome;
    },
    changes: (since, atLeast) => asking(changes(client, since, atLeast)),
    pages: (type, signal) => pages(client, type, signal),
    events: (after, signal) => translating(events(client, after, signal)),
  };
}
