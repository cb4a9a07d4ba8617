import { lazy, Suspense, useState } from "react";
import { useParams, useSearchParams } from "react-router";

import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { QuickAdd } from "../quickadd/QuickAdd.tsx";
import { TaskList } from "../tree/TaskList.tsx";
import { defaultsOf, type ListKind, type ListOf, nameOf } from "./definitions.ts";
import { ListHeader } from "./ListHeader.tsx";

const Board = lazy(() => import("../board/Board.tsx"));
const TimeMachine = lazy(() => import("../timemachine/TimeMachine.tsx"));

/** A list: its name, "Add a task", and its tasks as a tree, a board, or as of a time. */
export function ListPage({ kind }: { kind: ListKind }) {
  const { id } = useParams();
  const list: ListOf = id ? { kind, id } : { kind };
  return <OneList key={`${kind}:${id ?? ""}`} list={list} />;
}

function OneList({ list }: { list: ListOf }) {
  const snapshot = useSnapshot();
  const { today } = useClock();
  const [params] = useSearchParams();
  const [added, setAdded] = useState<string | null>(null);
  const name = nameOf(list, snapshot);
  const view = params.get("view");
  const isBoard = view === "board" && list.kind === "project";
  const takesTasks = list.kind !== "completed" && view !== "time";
  return (
    <div className={isBoard ? "page wide" : "page"}>
      <ListHeader list={list} name={name} />
      {takesTasks && <QuickAdd defaults={defaultsOf(list, today)} onAdded={setAdded} />}
      <Suspense fallback={null}>
        {view === "time" ? (
          <TimeMachine list={list} />
        ) : isBoard ? (
          <Board projectId={list.id ?? ""} />
        ) : (
          <TaskList list={list} name={name} added={added} />
        )}
      </Suspense>
    </div>
  );
}
