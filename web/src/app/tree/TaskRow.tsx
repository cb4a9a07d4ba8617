import { memo, type MouseEvent } from "react";
import { Link, useSearchParams } from "react-router";

import { text } from "../../shared/i18n/index.ts";
import { isOpen } from "../../shared/sync/rows.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import { toggleCollapsed } from "../lists/useListSettings.ts";
import type { TaskLine } from "./build.ts";
import { TaskChips } from "./TaskChips.tsx";
import { TitleEditor } from "./TitleEditor.tsx";
import type { Selection } from "./useSelection.ts";
import { focusRow, type TreeActions } from "./useTreeKeys.ts";

interface Props {
  line: TaskLine;
  top: number;
  does: TreeActions | null;
  selection: Selection;
  isShown: boolean;
  isEditing: boolean;
  isAdded: boolean;
  hideProject: boolean;
  onGrip: ((event: React.PointerEvent, line: TaskLine) => void) | null;
}

export const TaskRow = memo(function TaskRow(props: Props) {
  const {
    line,
    top,
    does,
    selection,
    isShown,
    isEditing,
    isAdded,
    hideProject,
    onGrip,
  } = props;
  const { task, depth } = line;
  const selected = selection.selected.has(task.id);
  const classes = ["row"];
  if (isShown || selection.current === task.id) classes.push("current");
  if (selected) classes.push("selected");
  if (isAdded) classes.push("added");
  if (!isOpen(task)) classes.push("done");
  const finish = () => {
    does?.endEdit();
    focusRow(task.id);
  };
  return (
    <li className={classes.join(" ")} style={{ top }} aria-level={depth + 1}>
      <span style={{ width: `calc(var(--indent) * ${depth})` }} className="indent" />
      {onGrip && (
        <span
          className="grip"
          aria-hidden="true"
          onPointerDown={(event) => onGrip(event, line)}
        >
          <Icon name="grip" size={14} />
        </span>
      )}
      <Expander line={line} />
      <input
        type="checkbox"
        className={`check ${task.priority}`}
        aria-label={task.title}
        checked={!isOpen(task)}
        disabled={!does}
        onChange={() => does?.toggle(task)}
        onFocus={() => selection.setCurrent(task.id)}
      />
      {isEditing && does ? (
        <TitleEditor
          title={task.title}
          onSave={(title) => does.rename(task, title)}
          onDone={finish}
        />
      ) : (
        <Title line={line} does={does} selection={selection} />
      )}
      <TaskChips line={line} hideProject={hideProject} />
      {selected && <span className="hidden">{text.selected}</span>}
    </li>
  );
});

function Expander({ line }: { line: TaskLine }) {
  if (line.subtasks === 0) return <span className="expander" />;
  return (
    <button
      className="expander"
      tabIndex={-1}
      aria-expanded={!line.collapsed}
      aria-label={text.subtasksOf(line.task.title)}
      onClick={() => toggleCollapsed(line.id)}
    >
      <Icon name="chevron" size={12} />
    </button>
  );
}

function Title({ line, does, selection }: Pick<Props, "line" | "does" | "selection">) {
  const { task } = line;
  const [params] = useSearchParams();
  const shown = new URLSearchParams(params);
  shown.set("task", task.id);
  const click = (event: MouseEvent) => {
    if (!event.shiftKey && !event.ctrlKey && !event.metaKey)
      return selection.setCurrent(task.id);
    event.preventDefault();
    if (event.shiftKey) selection.extend(task.id);
    else selection.toggle(task.id);
  };
  return (
    <Link
      className="title"
      to={{ search: shown.toString() }}
      data-task={task.id}
      draggable={false}
      onClick={click}
      onDoubleClick={() => does?.startEdit(task.id)}
      onFocus={() => selection.setCurrent(task.id)}
    >
      {task.title}
    </Link>
  );
}
