/** What the server says about itself before anybody signs in. */
import { useQuery } from "@tanstack/react-query";

export interface ClientMeta {
  version: string;
  issuer: "clerk" | "development" | "other";
  clerk_publishable_key: string | null;
  environment: string;
  features: string[];
}

const KEY = "metacortex.client";
const FRESH_MS = 300_000; // a deployment may bring features

export async function fetchMeta(): Promise<ClientMeta> {
  const answer = await fetch("/api/v1/meta/client", { cache: "no-cache" });
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const { data } = (await answer.json()) as { data: ClientMeta };
  localStorage.setItem(KEY, JSON.stringify(data));
  return data;
}

/** What it said last time, so that a page opens without a connection. */
function remembered(): ClientMeta | undefined {
  const found = localStorage.getItem(KEY);
  return found ? (JSON.parse(found) as ClientMeta) : undefined;
}

export function useMeta() {
  return useQuery({
    queryKey: ["meta"],
    queryFn: fetchMeta,
    staleTime: FRESH_MS,
    placeholderData: remembered,
  });
}
