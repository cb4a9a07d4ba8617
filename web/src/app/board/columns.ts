/** The columns of a project's board. */
import { text } from "../../shared/i18n/index.ts";
import type { Draft } from "../../shared/sync/pending.ts";
import type { Snapshot } from "../../shared/sync/replica.ts";
import type { Status, Task } from "../../shared/sync/rows.ts";
import { inOrder } from "../tree/order.ts";

export interface Column {
  id: string;
  title: string;
  tasks: Task[];
  by: "section" | "status";
}

const STATES: readonly Status[] = ["pending", "in_progress", "blocked", "completed"];

export function columnsOf(
  { task, section }: Pick<Snapshot, "task" | "section">,
  projectId: string,
  hasSections: boolean,
): Column[] {
  const tasks = [...task.values()]
    .filter(
      (it) =>
        it.project_id === projectId && !it.parent_id && !it.deleted && !it.archived,
    )
    .sort(inOrder);
  if (!hasSections)
    return STATES.map((id) => ({
      id,
      title: text.status[id],
      tasks: tasks.filter((it) => it.status === id),
      by: "status" as const,
    }));
  const sections = [...section.values()]
    .filter((it) => it.project_id === projectId && !it.deleted)
    .sort(inOrder);
  const known = new Set(sections.map((it) => it.id));
  const open = tasks.filter(
    (it) => it.status !== "completed" && it.status !== "cancelled",
  );
  const none = open.filter((it) => !it.section_id || !known.has(it.section_id));
  return [
    { id: "none", title: text.noSection, tasks: none, by: "section" as const },
    ...sections.map(({ id, name }) => ({
      id,
      title: name,
      tasks: open.filter((it) => it.section_id === id),
      by: "section" as const,
    })),
  ];
}

/** The command that brings a task into a column; null where it is there, or cannot go. */
export function moveTo(task: Task, column: Column): Draft | null {
  const label = text.commands.moved(task.title);
  const about = (type: string, args: object, set: Partial<Task>): Draft => ({
    type: `task.${type}`,
    target: task.id,
    args: { ...args },
    label,
    patches: [{ type: "task", id: task.id, set: { ...set } }],
  });
  if (column.by === "section") {
    const section_id = column.id === "none" ? null : column.id;
    if ((task.section_id ?? null) === section_id) return null;
    return about("move", { section_id }, { section_id });
  }
  const to = column.id as Status;
  if (task.status === to) return null;
  if (to === "completed")
    return about(
      "complete",
      {},
      { status: to, completed_at: new Date().toISOString() },
    );
  if (task.status === "completed")
    return about("reopen", {}, { status: "pending", completed_at: null });
  if (to === "in_progress")
    return about(task.status === "blocked" ? "unblock" : "start", {}, { status: to });
  if (to === "blocked") {
    const reason = text.board.blockedReason;
    return about("block", { reason }, { status: to, blocked_reason: reason });
  }
  return null;
}
