import type { KeyboardEvent } from "react";
import { Link, useSearchParams } from "react-router";

import { isOpen, type Task } from "../../shared/sync/rows.ts";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { dueWords } from "../../shared/time/words.ts";
import { useActions } from "../useActions.ts";

interface Props {
  task: Task;
  /** Of what is dragged. */
  kind: string;
  onShift: (by: 1 | -1) => void;
}

/** A task on the board; Alt with an arrow moves it a column on. */
export function Card({ task, kind, onShift }: Props) {
  const actions = useActions();
  const { today } = useClock();
  const [params] = useSearchParams();
  const shown = new URLSearchParams(params);
  shown.set("task", task.id);
  const keys = (event: KeyboardEvent) => {
    if (!event.altKey || !/^Arrow(Left|Right)$/.test(event.key)) return;
    event.preventDefault();
    const rtl = document.documentElement.dir === "rtl";
    onShift((event.key === "ArrowRight") === rtl ? -1 : 1);
  };
  return (
    <li
      className={isOpen(task) ? "card" : "card done"}
      draggable
      onDragStart={(event) => event.dataTransfer.setData(kind, task.id)}
    >
      <input
        type="checkbox"
        className={`check ${task.priority}`}
        aria-label={task.title}
        checked={!isOpen(task)}
        onChange={() => actions.toggle(task)}
      />
      <Link
        className="title"
        to={{ search: shown.toString() }}
        data-task={task.id}
        draggable={false}
        onKeyDown={keys}
      >
        {task.title}
      </Link>
      {task.due && <time className="chip">{dueWords(task.due, today)}</time>}
    </li>
  );
}
