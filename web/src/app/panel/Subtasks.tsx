import { type FormEvent, useMemo } from "react";
import { Link } from "react-router";

import { text } from "../../shared/i18n/index.ts";
import { isOpen, type Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { wallClock } from "../../shared/time/days.ts";
import { parse } from "../quickadd/grammar.ts";
import { childrenOf } from "../tree/build.ts";
import { useActions } from "../useActions.ts";
import { Section } from "./Section.tsx";

export function Subtasks({ task }: { task: Task }) {
  const snapshot = useSnapshot();
  const { timeZone } = useClock();
  const actions = useActions();
  const tasks = snapshot.task;
  const below = useMemo(
    () => childrenOf(tasks.values()).get(task.id) ?? [],
    [tasks, task.id],
  );
  const done = below.filter((it) => !isOpen(it)).length;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const written = new FormData(form).get("title") as string;
    const parsed = parse(written, {
      now: wallClock(new Date(), timeZone),
      projects: [],
      tags: [...snapshot.tag.values()],
    });
    if (!parsed.title) return;
    form.reset();
    // A subtask takes project and tags of its parent, as the API has it.
    const { project_id } = task;
    actions.add(
      { ...parsed, project: null },
      { parent_id: task.id, project_id, tags: task.tags },
    );
  };
  const count = below.length > 0 ? `${done}/${below.length}` : null;
  return (
    <Section title={text.panel.subtasks} count={count}>
      <ul>
        {below.map((it) => (
          <li key={it.id} className={isOpen(it) ? "subtask" : "subtask done"}>
            <input
              type="checkbox"
              className={`check ${it.priority}`}
              aria-label={it.title}
              checked={!isOpen(it)}
              onChange={() => actions.toggle(it)}
            />
            <Link className="title" to={{ search: `?task=${it.id}` }}>
              {it.title}
            </Link>
          </li>
        ))}
      </ul>
      <form onSubmit={submit}>
        <input
          className="input plain"
          name="title"
          maxLength={255}
          aria-label={text.panel.addSubtask}
          placeholder={text.panel.addSubtask}
          autoComplete="off"
        />
      </form>
    </Section>
  );
}
