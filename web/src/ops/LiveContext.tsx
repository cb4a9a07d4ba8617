import { useQueryClient } from "@tanstack/react-query";
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";

import { useClient } from "../shared/api/ApiContext.tsx";
import { follow } from "./follow.ts";

const Context = createContext<{ live: boolean }>({ live: false });

/** Whether the stream stands; without it, the pages poll. */
export const useLive = () => useContext(Context);

function watchVisibility(changed: () => void): () => void {
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}

/** One stream for all pages of the room, while somebody looks: connections are few. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useClient();
  const queries = useQueryClient();
  const [live, setLive] = useState(false);
  const visible = useSyncExternalStore(watchVisibility, () => !document.hidden);
  useEffect(() => {
    if (!visible) return;
    const ends = new AbortController();
    void follow(client, queries, ends.signal, setLive);
    return () => {
      ends.abort();
      setLive(false);
    };
  }, [client, queries, visible]);
  const value = useMemo(() => ({ live }), [live]);
  return <Context value={value}>{children}</Context>;
}
