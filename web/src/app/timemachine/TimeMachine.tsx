import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo } from "react";
import { useSearchParams } from "react-router";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { wallClock } from "../../shared/time/days.ts";
import { choiceOf, type ListOf } from "../lists/definitions.ts";
import { useListSettings } from "../lists/useListSettings.ts";
import { buildLines, childrenOf } from "../tree/build.ts";
import { TaskTree } from "../tree/TaskTree.tsx";
import { useSelection } from "../tree/useSelection.ts";
import { fetchPast } from "./past.ts";
import { Slider } from "./Slider.tsx";

/** The list as of any instant; the instant stands in the address. Read only. */
export default function TimeMachine({ list }: { list: ListOf }) {
  const client = useClient();
  const snapshot = useSnapshot();
  const [params, setParams] = useSearchParams();
  const at = params.get("at");
  const asked = useDeferredValue(at);
  const earliest = useMemo(() => {
    let found = Infinity;
    for (const it of snapshot.task.values())
      found = Math.min(found, Date.parse(it.created_at));
    // Instants have microseconds: the first task is there a millisecond later.
    return Number.isFinite(found) ? found + 1 : null;
  }, [snapshot.task]);
  const past = useQuery({
    queryKey: ["past", asked],
    queryFn: ({ signal }) => fetchPast(client, asked ?? "", signal),
    enabled: asked !== null,
    staleTime: Infinity, // the past does not change
    placeholderData: (before) => before,
    retry: false,
  });
  const choose = (instant: string | null) =>
    setParams(
      (old) => {
        if (instant === null) old.delete("at");
        else old.set("at", instant);
        return old;
      },
      { replace: true },
    );
  const tasks = at === null ? snapshot.task : past.data;
  return (
    <>
      <Slider earliest={earliest} at={at} onChange={choose} />
      {past.isError && at !== null ? (
        <p className="empty" role="alert">
          {text.time.failed(past.error.message)}
        </p>
      ) : (
        tasks && <PastList list={list} tasks={tasks} at={at} />
      )}
    </>
  );
}

interface PastListProps {
  list: ListOf;
  tasks: ReturnType<typeof useSnapshot>["task"];
  at: string | null;
}

function PastList({ list, tasks, at }: PastListProps) {
  const snapshot = useSnapshot();
  const { timeZone } = useClock();
  const { collapsed } = useListSettings();
  const children = useMemo(() => childrenOf(tasks.values()), [tasks]);
  const lines = useMemo(() => {
    const today = wallClock(at ? new Date(at) : new Date(), timeZone).date;
    const situation = {
      today,
      timeZone,
      lingering: new Set<string>(),
      collapsed,
      showDone: true,
    };
    return buildLines(tasks, choiceOf(list, situation, snapshot), children);
  }, [tasks, at, list, snapshot, children, collapsed, timeZone]);
  const selection = useSelection(lines);
  if (lines.length === 0) return <p className="empty">{text.time.empty}</p>;
  return (
    <TaskTree
      name={text.time.title}
      lines={lines}
      childrenOf={children}
      selection={selection}
      does={null}
      editing={null}
      added={null}
      hideProject={list.kind === "project"}
    />
  );
}
