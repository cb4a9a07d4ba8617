/** The columns of a project's board. */
import { text } from "../../shared/i18n/index.ts";
import type { Draft } from "../../shared/sync/pending.ts";
import type { Snapshot } from "../../shared/sync/replica.ts";
import type { Section, Task } from "../../shared/sync/rows.ts";
import { inOrder } from "../tree/order.ts";

/** The column of the tasks that are in no section. */
export const NONE = "none";

export interface Column {
  id: string;
  title: string;
  tasks: Task[];
}

/** The sections of a project, in order. */
export function sectionsOf(
  { section }: Pick<Snapshot, "section">,
  projectId: string,
): Section[] {
  return [...section.values()]
    .filter((it) => it.project_id === projectId && !it.deleted)
    .sort(inOrder);
}

export function columnsOf(
  { task, section }: Pick<Snapshot, "task" | "section">,
  projectId: string,
): Column[] {
  const tasks = [...task.values()]
    .filter(
      (it) =>
        it.project_id === projectId && !it.parent_id && !it.deleted && !it.archived,
    )
    .sort(inOrder);
  const sections = sectionsOf({ section }, projectId);
  const known = new Set(sections.map((it) => it.id));
  const open = tasks.filter(
    (it) => it.status !== "completed" && it.status !== "cancelled",
  );
  const none = open.filter((it) => !it.section_id || !known.has(it.section_id));
  return [
    { id: NONE, title: text.noSection, tasks: none },
    ...sections.map(({ id, name }) => ({
      id,
      title: name,
      tasks: open.filter((it) => it.section_id === id),
    })),
  ];
}

/** The command that brings a task into a column; null where it is there. */
export function moveTo(task: Task, column: Column): Draft | null {
  const section_id = column.id === NONE ? null : column.id;
  if ((task.section_id ?? null) === section_id) return null;
  return {
    type: "task.move",
    target: task.id,
    args: { section_id },
    label: text.commands.moved(task.title),
    patches: [{ type: "task", id: task.id, set: { section_id } }],
  };
}
