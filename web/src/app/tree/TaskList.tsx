import { useCallback, useMemo, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import type { Task } from "../../shared/sync/rows.ts";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { BulkBar } from "../bulk/BulkBar.tsx";
import { choiceOf, type ListOf } from "../lists/definitions.ts";
import { useListSettings } from "../lists/useListSettings.ts";
import { useActions } from "../useActions.ts";
import { buildLines, childrenOf } from "./build.ts";
import { TaskTree } from "./TaskTree.tsx";
import { type TreeActions, useTreeKeys } from "./useTreeKeys.ts";
import { useSelection } from "./useSelection.ts";

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
  const [lingering, setLingering] = useState<ReadonlySet<string>>(new Set());
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

  const toggle = useCallback(
    (task: Task) => {
      setLingering((old) => new Set(old).add(task.id));
      actions.toggle(task);
    },
    [actions],
  );
  const selection = useSelection(lines);
  const movable = list.kind === "inbox" || list.kind === "project";
  const does: TreeActions = useMemo(
    () => ({
      toggle,
      startEdit: setEditing,
      endEdit: () => setEditing(null),
      rename: (task, title) => actions.edit(task, { title }),
      remove: actions.remove,
      place: movable ? actions.place : null,
    }),
    [toggle, actions, movable],
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
        <BulkBar
          tasks={selection.tasks(tasks)}
          clear={selection.clear}
          onComplete={(done) =>
            setLingering((old) => new Set([...old, ...done.map((it) => it.id)]))
          }
        />
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
