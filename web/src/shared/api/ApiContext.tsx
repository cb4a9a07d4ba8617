import { type Client, createClient } from "@metacortex/client";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";

import { useSession } from "../auth/AuthContext.tsx";

const Context = createContext<Client | null>(null);

export function useClient(): Client {
  const client = useContext(Context);
  if (!client) throw new Error("useClient needs an ApiProvider");
  return client;
}

/** One client for whoever is signed in. */
export function ApiProvider({ children }: { children: ReactNode }) {
  const { getToken } = useSession();
  const client = useMemo(
    () => createClient({ baseURL: "/api/v1", getToken, clientName: "metacortex web" }),
    [getToken],
  );
  useEffect(() => () => client.close(), [client]);
  return <Context value={client}>{children}</Context>;
}
