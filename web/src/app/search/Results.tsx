import { useMemo, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import BulkBar from "../bulk/BulkBar.tsx";
import type { Line } from "../tree/build.ts";
import { TaskTree } from "../tree/TaskTree.tsx";
import { useSelection } from "../tree/useSelection.ts";
import { type TreeActions, useTreeKeys } from "../tree/useTreeKeys.ts";
import { useActions } from "../useActions.ts";

const NO_CHILDREN = new Map<string, Task[]>();

/** Tasks in the order given, each for itself; one can work in them as in any list. */
export function Results({ tasks }: { tasks: readonly Task[] }) {
  const snapshot = useSnapshot();
  const actions = useActions();
  const [editing, setEditing] = useState<string | null>(null);
  const lines = useMemo(
    () =>
      tasks.map((task): Line => ({
        ...{ kind: "task", id: task.id, task, depth: 0, subtasks: 0, done: 0 },
        ...{ collapsed: false, group: "" },
      })),
    [tasks],
  );
  const selection = useSelection(lines);
  const does: TreeActions = useMemo(
    () => ({
      toggle: actions.toggle,
      startEdit: setEditing,
      endEdit: () => setEditing(null),
      rename: (task, title) => actions.edit(task, { title }),
      remove: actions.remove,
      place: null,
    }),
    [actions],
  );
  useTreeKeys({ lines, tasks: snapshot.task, selection, does });
  return (
    <>
      <TaskTree
        name={text.searching.results}
        lines={lines}
        childrenOf={NO_CHILDREN}
        selection={selection}
        does={does}
        editing={editing}
        added={null}
        hideProject={false}
      />
      {selection.selected.size > 0 && (
        <BulkBar tasks={selection.tasks(snapshot.task)} clear={selection.clear} />
      )}
    </>
  );
}
