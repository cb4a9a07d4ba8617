import { text } from "../../shared/i18n/index.ts";
import type { Draft } from "../../shared/sync/pending.ts";
import type { Task } from "../../shared/sync/rows.ts";

export const commentOn = (task: Task, words: string): Draft => ({
  type: "task.comment",
  target: task.id,
  args: { body: words },
  label: text.commands.commented(task.title),
  patches: [],
});
