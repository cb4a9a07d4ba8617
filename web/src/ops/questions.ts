/** How the pages ask. */
import type { Client, PartsOf } from "@metacortex/client";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";

import { useClient } from "../shared/api/ApiContext.tsx";
import type { operation } from "../shared/api/operations.ts";
import { getOverview } from "./api.ts";
import { keyOf, type Question } from "./keys.ts";
import { useLive } from "./LiveContext.tsx";
import type { Overview } from "./types.ts";

export const POLL_MS = 2_000;
const ONCE = { retry: { attempts: 1 } }; // the next poll is the next attempt

type Asking<D, M> = ReturnType<typeof operation<D, M>>;

export interface Answer<D, M = unknown> {
  data: D;
  meta: M;
}

interface Options {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  /** How often; 2 s unless given. */
  every_ms?: number;
  /** The stream tells when there is something new; polled only while it does not stand. */
  streamed?: boolean;
}

async function ask<D, M>(
  client: Client,
  asked: Asking<D, M>,
  parts: Options,
  signal: AbortSignal,
): Promise<Answer<D, M>> {
  const given = { path: parts.path, query: parts.query } as PartsOf<Asking<D, M>>;
  const { data, meta } = await client.query(asked, given, { signal, ...ONCE });
  return { data: data, meta: meta };
}

/** Asks again and again while the page is looked at; keeps the last answer meanwhile. */
export function useAsk<D, M = unknown>(
  name: Question,
  asked: Asking<D, M>,
  options: Options = {},
): UseQueryResult<Answer<D, M>> {
  const client = useClient();
  const { live } = useLive();
  const { path, query, every_ms = POLL_MS, streamed = false } = options;
  return useQuery({
    queryKey: keyOf(name, { ...path, ...query }),
    queryFn: ({ signal }) => ask(client, asked, options, signal),
    refetchInterval: streamed && live ? false : every_ms,
    placeholderData: (before) => before,
    retry: false,
  });
}

export function useOverview(): UseQueryResult<Overview> {
  const client = useClient();
  const { live } = useLive();
  return useQuery({
    queryKey: keyOf("overview"),
    queryFn: async ({ signal }) => (await ask(client, getOverview, {}, signal)).data,
    refetchInterval: live ? false : POLL_MS,
    retry: false,
  });
}
