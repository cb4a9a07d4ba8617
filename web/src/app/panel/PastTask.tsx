import { useQuery } from "@tanstack/react-query";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { dueWords, instantWords } from "../../shared/time/words.ts";
import { Markdown } from "./Markdown.tsx";
import { useNameOf } from "./PanelFields.tsx";

interface Props {
  id: string;
  version: number;
  onNow: () => void;
}

/** A task as it was at a version; read only. */
export function PastTask({ id, version, onNow }: Props) {
  const client = useClient();
  const { timeZone } = useClock();
  const past = useQuery({
    queryKey: ["task", id, version],
    queryFn: async () => (await client.tasks.get(id, { version })).data as Task,
    staleTime: Infinity,
  });
  const task = past.data;
  return (
    <>
      <div className="then" role="status">
        <span>
          {task
            ? text.panel.then(instantWords(task.updated_at, timeZone, new Date()))
            : text.loading}
        </span>
        <button className="button" onClick={onNow}>
          {text.panel.now}
        </button>
      </div>
      {past.isError && <p className="problem">{text.panel.historyLater}</p>}
      {task && <Fields task={task} />}
    </>
  );
}

function Fields({ task }: { task: Task }) {
  const { project, tag } = useSnapshot();
  const { today } = useClock();
  const nameOf = useNameOf();
  const tags = task.tags.map((id) => tag.get(id)?.name ?? text.lists.tag).join(", ");
  const place = task.project_id ? project.get(task.project_id)?.name : text.lists.inbox;
  const rows: [string, string][] = [
    [text.fields.status, text.status[task.status]],
    [text.fields.due, task.due ? dueWords(task.due, today) : text.none],
    [text.fields.priority, text.priority[task.priority]],
    [text.fields.project, place ?? text.lists.project],
    [text.fields.tags, tags || text.none],
    [text.fields.assignee, task.assignee_id ? nameOf(task.assignee_id) : text.nobody],
  ];
  return (
    <>
      <h2 className="past-title">{task.title}</h2>
      {task.description && <Markdown source={task.description} />}
      <dl className="fields">
        {rows.map(([name, value]) => (
          <div className="field-row" key={name}>
            <dt className="muted">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
