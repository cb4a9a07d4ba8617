/** What one can do to tasks; each shows at once, and can be undone. */
import { useMemo } from "react";

import { text } from "../shared/i18n/index.ts";
import type { Draft } from "../shared/sync/pending.ts";
import type { Snapshot } from "../shared/sync/replica.ts";
import { isOpen, type Task } from "../shared/sync/rows.ts";
import { useSync } from "../shared/sync/SyncContext.tsx";
import { useToasts } from "../shared/ui/Toasts.tsx";
import * as commands from "./commands/tasks.ts";
import type { Parsed } from "./quickadd/grammar.ts";
import { childrenOf } from "./tree/build.ts";
import { inOrder } from "./tree/order.ts";
import type { Place } from "./tree/places.ts";

export type Actions = ReturnType<typeof useActions>;

const UNDO_KEY = "z";

export function useActions() {
  const { engine, started } = useSync();
  const { show } = useToasts();

  return useMemo(() => {
    const outbox = async () => (engine ?? (await started())).outbox;
    const snapshot = (): Snapshot | undefined => engine?.replica.snapshot();
    const children = () => childrenOf(snapshot()?.task.values() ?? []);
    const task = (id: string) => snapshot()?.task.get(id);
    const told = (message: string, undo: () => void) =>
      show({ message, action: { label: text.undo, key: UNDO_KEY, run: undo } });

    const run = (drafts: Draft[], message?: string) => {
      const [first] = drafts;
      if (!first) return;
      const label = message ?? drafts.at(-1)?.label ?? first.label;
      const added = engine
        ? engine.outbox.add(drafts, label)
        : outbox().then((it) => it.add(drafts, label));
      const take = async () => undone(await (await outbox()).undo(await added));
      told(label, () => void take());
    };
    const undone = (done: { label: string } | null) => {
      if (done) show({ message: text.undone(done.label) });
      else show({ message: text.nothingToUndo });
    };
    const each = (
      tasks: Task[],
      draft: (task: Task) => Draft,
      many: (n: number) => string,
    ) => run(tasks.map(draft), tasks.length > 1 ? many(tasks.length) : undefined);

    return {
      add: (parsed: Parsed, defaults: commands.Defaults): string => {
        const { id, drafts } = commands.createTask(parsed, defaults);
        run(drafts);
        return id;
      },
      run,
      toggle: (one: Task) => run([commands.toggle(one)]),
      edit: (one: Task, fields: commands.Edit) => run([commands.edit(one, fields)]),
      retag: (one: Task, add: string[], remove: string[]) =>
        run([commands.retag(one, add, remove)]),
      tagAnew: (one: Task, name: string) => run(commands.tagAnew(one, name)),
      moveToProject: (one: Task, id: string | null) =>
        run([commands.moveToProject(one, id, children())]),
      moveToSection: (one: Task, id: string | null) => {
        const draft = commands.moveToSection(one, id);
        if (draft) run([draft]);
      },
      place: (id: string, where: Place) => {
        const one = task(id);
        if (!one) return;
        const siblings = where.parent_id
          ? (children().get(where.parent_id) ?? [])
          : rootSiblings(snapshot(), one);
        run([commands.place(one, where, siblings)]);
      },
      remove: (one: Task) => run([commands.remove(one, children())]),
      completeAll: (tasks: Task[]) =>
        each(tasks.filter(isOpen), commands.complete, text.commands.completedMany),
      removeAll: (tasks: Task[]) => {
        const below = children();
        const ids = new Set(tasks.map((it) => it.id));
        const tops = tasks.filter((it) => !it.parent_id || !ids.has(it.parent_id));
        each(tops, (it) => commands.remove(it, below), text.commands.deletedMany);
      },
      editAll: (tasks: Task[], fields: commands.Edit) =>
        each(tasks, (it) => commands.edit(it, fields), text.commands.editedMany),
      moveAll: (tasks: Task[], id: string | null) => {
        const below = children();
        each(
          tasks,
          (it) => commands.moveToProject(it, id, below),
          text.commands.movedMany,
        );
      },
      undoLast: async () => undone(await (await outbox()).undoLast()),
    };
  }, [engine, show, started]);
}

function rootSiblings(snapshot: Snapshot | undefined, one: Task): Task[] {
  const found: Task[] = [];
  for (const it of snapshot?.task.values() ?? [])
    if (!it.parent_id && !it.deleted && it.project_id === one.project_id)
      found.push(it);
  return found.sort(inOrder);
}
