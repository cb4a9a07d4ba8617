import {
  createContext,
  type ReactNode,
  useContext,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";

import { useClient } from "../api/ApiContext.tsx";
import { gatewayOf } from "../api/gateway.ts";
import { useSession } from "../auth/AuthContext.tsx";
import { text } from "../i18n/index.ts";
import { useToasts } from "../ui/Toasts.tsx";
import { type Connection, Engine } from "./engine.ts";
import { Replica, type Snapshot } from "./replica.ts";
import type { Kind } from "./rows.ts";

interface Sync {
  engine: Engine | null;
  connection: Connection;
  /** The engine once it has started: what is done before that waits for it. */
  started: () => Promise<Engine>;
}

const NEVER = new Promise<never>(() => undefined);
const Context = createContext<Sync>({
  engine: null,
  connection: "connecting",
  started: () => NEVER,
});
const NOBODY = new Replica();

export const useSync = (): Sync => useContext(Context);

/** The rows as they are, with what is under way. */
export function useSnapshot(): Snapshot {
  const replica = useSync().engine?.replica ?? NOBODY;
  return useSyncExternalStore(replica.subscribe, replica.snapshot);
}

export function SyncProvider({ children }: { children: ReactNode }) {
  const { key } = useSession();
  const client = useClient();
  const { show } = useToasts();
  const begun = useRef<Promise<Engine>>(NEVER);
  const started = useCallback(() => begun.current, []);
  const [sync, setSync] = useState<Omit<Sync, "started">>({
    engine: null,
    connection: "connecting",
  });
  const value = useMemo(() => ({ ...sync, started }), [sync, started]);

  useEffect(() => {
    const kinds: Kind[] = ["task", "project", "tag", "section"];
    let ended = false;
    const starting = Engine.start(gatewayOf(client), key, kinds, {
      connection: (connection) => {
        if (!ended)
          setSync((now) =>
            now.connection === connection ? now : { ...now, connection },
          );
      },
      refused: ([first]) => {
        if (first?.refusal)
          show({
            message: text.outbox.refused(first.label, first.refusal.title),
            alert: true,
          });
      },
    });
    begun.current = starting;
    void starting.then((engine) => {
      if (ended) engine.stop();
      else setSync((now) => ({ ...now, engine }));
    });
    return () => {
      ended = true;
      void starting.then((engine) => engine.stop());
    };
  }, [client, key, show]);

  return <Context value={value}>{children}</Context>;
}
