/** The keys of a list: to walk, to work, to order and to nest. */
import { useEffect, useEffectEvent } from "react";

import { isRtl } from "../../shared/ui/direction.ts";
import { isTyping, onKey } from "../../shared/ui/keys.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { toggleCollapsed } from "../lists/useListSettings.ts";
import type { Line, TaskLine } from "./build.ts";
import { nested, type Place, shifted, unnested } from "./places.ts";
import type { Selection } from "./useSelection.ts";

export interface TreeActions {
  toggle: (task: Task) => void;
  startEdit: (id: string) => void;
  endEdit: () => void;
  rename: (task: Task, title: string) => void;
  remove: (task: Task) => void;
  /** Null where the list has an order of its own. */
  place: ((id: string, where: Place) => void) | null;
}

interface Tree {
  lines: readonly Line[];
  tasks: ReadonlyMap<string, Task>;
  selection: Selection;
  does: TreeActions;
}

const isTask = (it: Line): it is TaskLine => it.kind === "task";

export function useTreeKeys(tree: Tree): void {
  const handle = useEffectEvent((event: KeyboardEvent) => {
    if (isTyping(event) || event.defaultPrevented) return;
    if (onKey(event, keysOf(tree))) event.preventDefault();
  });
  useEffect(() => {
    document.addEventListener("keydown", handle);
    return () => document.removeEventListener("keydown", handle);
  }, []);
}

function keysOf({ lines, tasks, selection, does }: Tree): Record<string, () => void> {
  const rows = lines.filter(isTask);
  const at = rows.findIndex((it) => it.id === selection.current);
  const line = rows[at];
  const walk = (by: 1 | -1, extend: boolean) => () => {
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
    if (!next) return;
    if (extend) selection.extend(next.id);
    else selection.setCurrent(next.id);
    focusRow(next.id);
  };
  const keys: Record<string, () => void> = {
    ArrowDown: walk(1, false),
    ArrowUp: walk(-1, false),
    j: walk(1, false),
    k: walk(-1, false),
    "Shift+ArrowDown": walk(1, true),
    "Shift+ArrowUp": walk(-1, true),
    "Mod+a": selection.all,
  };
  if (selection.selected.size > 0) keys["Escape"] = selection.clear;
  return line ? { ...keys, ...keysOfLine(line, lines, tasks, selection, does) } : keys;
}

function keysOfLine(
  line: TaskLine,
  lines: readonly Line[],
  tasks: ReadonlyMap<string, Task>,
  selection: Selection,
  does: TreeActions,
): Record<string, () => void> {
  const put = (where: Place | null) => () => {
    if (where) does.place?.(line.id, where);
    focusRow(line.id);
  };
  const keys: Record<string, () => void> = {
    c: () => does.toggle(line.task),
    x: () => selection.toggle(line.id),
    F2: () => does.startEdit(line.id),
    e: () => does.startEdit(line.id),
    Delete: () => {
      const beside = neighbour(lines, line);
      does.remove(line.task);
      selection.setCurrent(beside?.id ?? null);
      if (beside) focusRow(beside.id);
    },
  };
  // A row that has the focus opens by itself; what else has it keeps its own Enter.
  if (document.activeElement === document.body)
    keys["Enter"] = () => rowOf(line.id)?.click();
  // Deeper is where subtasks are drawn: to the left where one reads from right to left.
  const [out, deeper] = isRtl()
    ? (["ArrowRight", "ArrowLeft"] as const)
    : (["ArrowLeft", "ArrowRight"] as const);
  if (line.subtasks > 0)
    keys[line.collapsed ? deeper : out] = () => toggleCollapsed(line.id);
  if (does.place) {
    keys["Alt+ArrowUp"] = put(shifted(lines, line, -1));
    keys["Alt+ArrowDown"] = put(shifted(lines, line, 1));
    keys[`Alt+${deeper}`] = put(nested(lines, line));
    keys[`Alt+${out}`] = put(unnested(line, tasks));
  }
  return keys;
}

/** The task that takes the place of one that goes, else the one before it. */
function neighbour(lines: readonly Line[], line: TaskLine): TaskLine | undefined {
  const at = lines.indexOf(line);
  const below = lines.slice(at + 1).filter(isTask);
  return (
    below.find((it) => it.depth <= line.depth) ??
    lines.slice(0, at).filter(isTask).at(-1)
  );
}

const rowOf = (id: string) =>
  document.querySelector<HTMLElement>(`[data-task="${id}"]`);

let wanted = ""; // whoever is focused late must not take the focus from a later one

/** Focuses a row once it is drawn; the list scrolls to it first. */
export function focusRow(id: string): void {
  wanted = id;
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      if (wanted === id) rowOf(id)?.focus();
    }),
  );
}
