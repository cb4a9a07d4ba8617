/** The columns of a project's board. */
import { text } from "../../shared/i18n/index.ts";
import type { Snapshot } from "../../shared/sync/replica.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { inOrder, sectionsOf } from "../tree/order.ts";

/** The column of the tasks that are in no section. */
export const NONE = "none";

export interface Column {
  id: string;
  title: string;
  tasks: Task[];
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

/** The section that a column shows; null for the tasks that are in none. */
export const sectionOf = (column: Column): string | null =>
  column.id === NONE ? null : column.id;
