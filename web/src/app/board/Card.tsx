import type { KeyboardEvent } from "react";
import { Link, useSearchParams } from "react-router";

import { isOpen, type Task } from "../../shared/sync/rows.ts";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { dueWords } from "../../shared/time/words.ts";
import { focusRow } from "../tree/useTreeKeys.ts";
import { useActions } from "../useActions.ts";
import { CARD, shiftOf } from "./dragging.ts";

interface Props {
  task: Task;
  onShift: (by: 1 | -1) => void;
}

/** A task on the board; Alt with an arrow moves it a column on. */
export function Card({ task, onShift }: Props) {
  const actions = useActions();
  const { today } = useClock();
  const [params] = useSearchParams();
  const shown = new URLSearchParams(params);
  shown.set("task", task.id);
  const keys = (event: KeyboardEvent) => {
    const by = shiftOf(event.key, event.altKey);
    if (by === null) return;
    event.preventDefault();
    onShift(by);
    focusRow(task.id);
  };
  return (
    <li
      className={isOpen(task) ? "card" : "card done"}
      draggable
      onDragStart={(event) => event.dataTransfer.setData(CARD, task.id)}
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
