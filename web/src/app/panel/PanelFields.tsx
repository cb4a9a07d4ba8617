import { operations } from "@metacortex/client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { useSession } from "../../shared/auth/AuthContext.tsx";
import { displayName } from "../../shared/auth/development.ts";
import { text } from "../../shared/i18n/index.ts";
import type { Priority, Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { sectionsOf } from "../tree/order.ts";
import { useActions } from "../useActions.ts";
import { DueField } from "./DueField.tsx";
import { SelectField } from "./SelectField.tsx";
import { TagField } from "./TagField.tsx";

const PRIORITIES: readonly Priority[] = ["urgent", "high", "medium", "low"];

export const personName = (id: string): string => displayName(id.replace(/^user_/, ""));

export function useMembers(): { id: string; name: string | null }[] {
  const client = useClient();
  const { userId, name } = useSession();
  const { data } = useQuery({
    queryKey: ["members"],
    queryFn: async () => (await client.query(operations.listMembers)).data,
  });
  return data ?? [{ id: userId, name }];
}

/** What people call themselves, else what they signed in as. */
export function useNameOf(): (id: string) => string {
  const members = useMembers();
  return useMemo(() => {
    const names = new Map(members.map((it) => [it.id, it.name]));
    return (id: string) => names.get(id) ?? personName(id);
  }, [members]);
}

export function PanelFields({ task }: { task: Task }) {
  const actions = useActions();
  return (
    <div className="fields">
      <DueField task={task} />
      <label>
        <span>{text.fields.priority}</span>
        <select
          className={`input plain ${task.priority}`}
          value={task.priority}
          onChange={(event) =>
            actions.edit(task, { priority: event.target.value as Priority })
          }
        >
          {PRIORITIES.map((it) => (
            <option key={it} value={it}>
              {text.priority[it]}
            </option>
          ))}
        </select>
      </label>
      <ProjectField task={task} />
      <SectionField task={task} />
      <TagField task={task} />
      <AssigneeField task={task} />
      <p className="field-row">
        <span className="muted">{text.fields.status}</span>
        <span>
          {text.status[task.status]}
          {task.blocked_reason && `: ${task.blocked_reason}`}
        </span>
      </p>
    </div>
  );
}

function ProjectField({ task }: { task: Task }) {
  const { project } = useSnapshot();
  const actions = useActions();
  const shown = useMemo(
    () =>
      [...project.values()].filter(
        (it) => !it.deleted && (!it.archived || it.id === task.project_id),
      ),
    [project, task.project_id],
  );
  return (
    <SelectField
      label={text.fields.project}
      value={task.project_id}
      none={text.lists.inbox}
      options={shown}
      onChoose={(id) => actions.moveToProject(task, id)}
    />
  );
}

/** Where the project has sections; subtasks are where their parent is. */
function SectionField({ task }: { task: Task }) {
  const snapshot = useSnapshot();
  const actions = useActions();
  const sections = useMemo(
    () => (task.project_id ? sectionsOf(snapshot, task.project_id) : []),
    [snapshot, task.project_id],
  );
  if (sections.length === 0 || task.parent_id) return null;
  return (
    <SelectField
      label={text.fields.section}
      value={task.section_id}
      none={text.noSection}
      options={sections}
      onChoose={(id) => actions.moveToSection(task, id)}
    />
  );
}

function AssigneeField({ task }: { task: Task }) {
  const members = useMembers();
  const nameOf = useNameOf();
  const actions = useActions();
  const { assignee_id: assignee } = task;
  const ids = new Set(members.map((it) => it.id));
  const known = assignee && !ids.has(assignee) ? [assignee, ...ids] : [...ids];
  return (
    <SelectField
      label={text.fields.assignee}
      value={assignee}
      none={text.nobody}
      options={known.map((id) => ({ id, name: nameOf(id) }))}
      onChoose={(id) => actions.edit(task, { assignee_id: id })}
    />
  );
}
