/** The operators' stream: what it brings goes where the pages read. */
import { ApiError, type Client, NetworkError } from "@metacortex/client";
import type { QueryClient } from "@tanstack/react-query";

import { STREAM } from "./api.ts";
import { keyOf, type Question } from "./keys.ts";
import type { Overview } from "./types.ts";

const SILENCE_MS = 10_000; // an overview comes every second
const PAUSE_MS = 3_000; // what the server's own `retry` says
const GATHER_MS = 1_000; // a burst of runs asks for a list once

const TELLS: Record<string, readonly Question[]> = {
  run: ["runs", "run", "queues"],
  failure: ["failures"],
  action: ["actions", "queues", "schedules", "projections", "run"],
};

/** What is asked seldom, and at once when the verdict has other reasons. */
const JUDGED: readonly Question[] = ["checks", "database", "failures"];

const codesOf = (overview: Overview | undefined): string =>
  overview?.reasons.map((it) => it.code).join() ?? "";

/** Gathers which questions have another answer, and asks those that are shown. */
function gatherer(queries: QueryClient, signal: AbortSignal) {
  const stale = new Set<Question>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return (names: readonly Question[]) => {
    for (const it of names) stale.add(it);
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const it of stale) void queries.invalidateQueries({ queryKey: keyOf(it) });
      stale.clear();
    }, GATHER_MS);
  };
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), {
      once: true,
    });
  });

/** Follows until the signal; tells whether the stream stands. Pages poll meanwhile. */
export async function follow(
  client: Client,
  queries: QueryClient,
  signal: AbortSignal,
  onLive: (live: boolean) => void,
): Promise<void> {
  const gather = gatherer(queries, signal);
  const asked = { signal, silenceMs: SILENCE_MS, onOpen: () => undefined };
  while (!signal.aborted) {
    let ended = false;
    try {
      for await (const { type, data } of client.stream(STREAM, asked)) {
        if (type === "overview") {
          onLive(true);
          const now = JSON.parse(data) as Overview;
          const before = queries.getQueryData<Overview>(keyOf("overview"));
          queries.setQueryData<Overview>(keyOf("overview"), now);
          if (codesOf(now) !== codesOf(before)) gather(JUDGED);
        }
        ended = type === "reconnect";
        gather(TELLS[type] ?? []);
      }
    } catch (error) {
      if (signal.aborted) return;
      // The pages poll now, and say what is wrong; the rest is a defect of ours.
      if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
    } finally {
      if (!ended && !signal.aborted) onLive(false);
    }
    if (signal.aborted) return;
    await pause(ended ? 0 : PAUSE_MS, signal);
  }
}
