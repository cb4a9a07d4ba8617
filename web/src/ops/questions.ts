/** How the pages ask. */
import {
  type Client,
  type Operation,
  operations,
  type PartsOf,
  type ResultOf,
} from "@metacortex/client";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";

import { useClient } from "../shared/api/ApiContext.tsx";
import { keyOf, type Question } from "./keys.ts";
import { useLive } from "./LiveContext.tsx";
import type { Overview } from "./types.ts";

export const POLL_MS = 2_000;
const ONCE = { retry: { attempts: 1 } }; // the next poll is the next attempt

interface Options<F extends Operation> extends PartsOf<F> {
  /** How often, or how often after an answer; 2 s unless given. */
  every_ms?: number | ((answer: ResultOf<F> | undefined) => number);
  /** The stream tells when there is something new; polled only while it does not stand. */
  streamed?: boolean;
}

const ask = <F extends Operation>(
  client: Client,
  asked: F,
  parts: PartsOf<F> | undefined,
  signal: AbortSignal,
): Promise<ResultOf<F>> => client.query(asked, parts, { signal, ...ONCE });

/** Asks again and again while the page is looked at; keeps the last answer meanwhile. */
export function useAsk<F extends Operation>(
  name: Question,
  asked: F,
  options: Options<F> = {},
): UseQueryResult<ResultOf<F>> {
  const client = useClient();
  const { live } = useLive();
  const { every_ms = POLL_MS, streamed = false, ...parts } = options;
  return useQuery({
    queryKey: keyOf(name, { ...parts.path, ...parts.query }),
    queryFn: ({ signal }) => ask(client, asked, parts as PartsOf<F>, signal),
    refetchInterval: ({ state }) => {
      if (streamed && live) return false;
      return typeof every_ms === "function" ? every_ms(state.data) : every_ms;
    },
    placeholderData: (before) => before,
    retry: false,
  });
}

export function useOverview(): UseQueryResult<Overview> {
  const client = useClient();
  const { live } = useLive();
  return useQuery({
    queryKey: keyOf("overview"),
    queryFn: async ({ signal }) =>
      (await ask(client, operations.getOverview, undefined, signal)).data,
    refetchInterval: live ? false : POLL_MS,
    retry: false,
  });
}
