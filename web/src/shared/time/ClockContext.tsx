import { operations, type schemas } from "@metacortex/client";
import { useQuery } from "@tanstack/react-query";
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";

import { useClient } from "../api/ApiContext.tsx";
import { localZone, wallClock } from "./days.ts";

interface Clock {
  today: string;
  timeZone: string;
}

const Context = createContext<Clock>({ today: "1970-01-01", timeZone: "UTC" });
const TICK_MS = 20_000; // so that a new day begins within half a minute

export const useClock = (): Clock => useContext(Context);

/** The person's own settings, where the server keeps them. */
export function useMe(): schemas.Me | undefined {
  const client = useClient();
  return useQuery({
    queryKey: ["me"],
    queryFn: async () => (await client.query(operations.getMe)).data,
  }).data;
}

/** The reader's day: in the zone that was set, else in the browser's. */
export function ClockProvider({ children }: { children: ReactNode }) {
  const timeZone = useMe()?.time_zone ?? localZone();
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const today = wallClock(now, timeZone).date;
  const clock = useMemo(() => ({ today, timeZone }), [today, timeZone]);
  return <Context value={clock}>{children}</Context>;
}
