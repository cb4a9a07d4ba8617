import { lazy, Suspense, useMemo, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { choiceOf, type ListOf } from "../lists/definitions.ts";
import { useListSettings } from "../lists/useListSettings.ts";
import { useActions } from "../useActions.ts";
import { buildLines, childrenOf } from "./build.ts";
import { TaskTree } from "./TaskTree.tsx";
import { type TreeActions, useTreeKeys } from "./useTreeKeys.ts";
import { useLingering } from "./useLingering.ts";
import { useSelection } from "./useSelection.ts";

const BulkBar = lazy(() => import("../bulk/BulkBar.tsx"));

interface Props {
  list: ListOf;
  name: string;
  added: string | null;
}

/** A list of the workspace as it is now: one can work in it. */
export function TaskList({ list, name, added }: Props) {
  const snapshot = useSnapshot();
  const { today, timeZone } = useClock();
  const { collapsed, showDone } = useListSettings();
  const actions = useActions();
  const lingering = useLingering(snapshot.task);
  const [editing, setEditing] = useState<string | null>(null);
  const { task: tasks } = snapshot;

  const children = useMemo(() => childrenOf(tasks.values()), [tasks]);
  const lines = useMemo(() => {
    const situation = { today, timeZone, lingering, collapsed, showDone };
    return buildLines(tasks, choiceOf(list, situation, snapshot), children);
  }, [
    list,
    tasks,
    snapshot,
    children,
    today,
    timeZone,
    lingering,
    collapsed,
    showDone,
  ]);

  const selection = useSelection(lines);
  const movable = list.kind === "inbox" || list.kind === "project";
  const does: TreeActions = useMemo(
    () => ({
      toggle: actions.toggle,
      startEdit: setEditing,
      endEdit: () => setEditing(null),
      rename: (task, title) => actions.edit(task, { title }),
      remove: actions.remove,
      place: movable ? actions.place : null,
    }),
    [actions, movable],
  );
  useTreeKeys({ lines, tasks, selection, does });

  if (lines.length === 0) return <Empty list={list} complete={snapshot.complete} />;
  return (
    <>
      <TaskTree
        name={name}
        lines={lines}
        childrenOf={children}
        selection={selection}
        does={does}
        editing={editing}
        added={added}
        hideProject={list.kind === "project"}
      />
      {selection.selected.size > 0 && (
        <Suspense fallback={null}>
          <BulkBar tasks={selection.tasks(tasks)} clear={selection.clear} />
        </Suspense>
      )}
    </>
  );
}

function Empty({ list, complete }: { list: ListOf; complete: boolean }) {
  if (!complete) return <p className="empty">{text.loading}</p>;
  const { title, hint } = text.empty[list.kind];
  return (
    <div className="empty">
      <strong>{title}</strong>
      <p>{hint}</p>
    </div>
  );
}
