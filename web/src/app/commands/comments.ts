import { newId } from "@metacortex/client";

import { text } from "../../shared/i18n/index.ts";
import type { Draft } from "../../shared/sync/pending.ts";
import type { Task } from "../../shared/sync/rows.ts";

/** Servers that list comments take an id with the text; older ones a body. */
export const commentOn = (task: Task, words: string, listed: boolean): Draft => ({
  type: "task.comment",
  target: task.id,
  args: listed ? { id: newId(), text: words } : { body: words },
  label: text.commands.commented(task.title),
  patches: [],
});
