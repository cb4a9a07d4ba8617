import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
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
}

const Context = createContext<Sync>({ engine: null, connection: "connecting" });
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
  const [sync, setSync] = useState<Sync>({ engine: null, connection: "connecting" });

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
    void starting.then((engine) => {
      if (ended) engine.stop();
      else setSync((now) => ({ ...now, engine }));
    });
    return () => {
      ended = true;
      void starting.then((engine) => engine.stop());
    };
  }, [client, key, show]);

  return <Context value={sync}>{children}</Context>;
}
