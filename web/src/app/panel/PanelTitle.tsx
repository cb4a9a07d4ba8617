import { useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { isOpen, type Task } from "../../shared/sync/rows.ts";
import { TitleEditor } from "../tree/TitleEditor.tsx";
import { useActions } from "../useActions.ts";

export function PanelTitle({ task }: { task: Task }) {
  const [editing, setEditing] = useState(false);
  const actions = useActions();
  return (
    <div className="panel-title">
      <input
        type="checkbox"
        className={`check ${task.priority}`}
        aria-label={isOpen(task) ? text.complete : text.reopen}
        checked={!isOpen(task)}
        onChange={() => actions.toggle(task)}
      />
      {editing ? (
        <TitleEditor
          title={task.title}
          onSave={(title) => actions.edit(task, { title })}
          onDone={() => setEditing(false)}
        />
      ) : (
        <h2>
          <button
            className="panel-text"
            title={text.editTitle}
            onClick={() => setEditing(true)}
          >
            {task.title}
          </button>
        </h2>
      )}
    </div>
  );
}
