/** Where a task goes by keyboard or by dragging: a parent, and a sibling beside it. */
import type { Task } from "../../shared/sync/rows.ts";
import { type Children, type Line, subtree, type TaskLine } from "./build.ts";
import { between, type Placed, rankOf } from "./order.ts";

export interface Place {
  parent_id: string | null;
  before?: string;
  after?: string;
  /** Of the section whose heading stands above. */
  group?: string;
}

const DEPTH_LIMIT = 32; // levels, as the API has it

const isTask = (line: Line | undefined): line is TaskLine => line?.kind === "task";

/** Siblings as they are shown, the task itself among them. */
export function siblings(lines: readonly Line[], line: TaskLine): TaskLine[] {
  const of = (it: TaskLine) =>
    it.depth === line.depth &&
    it.group === line.group &&
    it.task.parent_id === line.task.parent_id;
  return lines.filter(isTask).filter(of);
}

/** One place up or down among its siblings. */
export function shifted(
  lines: readonly Line[],
  line: TaskLine,
  by: 1 | -1,
): Place | null {
  const all = siblings(lines, line);
  const other = all[all.indexOf(line) + by];
  if (!other) return null;
  const parent_id = line.task.parent_id;
  return by < 0 ? { parent_id, before: other.id } : { parent_id, after: other.id };
}

/** Below the sibling above it, as its last subtask. */
export function nested(lines: readonly Line[], line: TaskLine): Place | null {
  const all = siblings(lines, line);
  const above = all[all.indexOf(line) - 1];
  return above && line.depth + 1 < DEPTH_LIMIT ? { parent_id: above.id } : null;
}

/** Out of its parent, right after it. */
export function unnested(
  line: TaskLine,
  tasks: ReadonlyMap<string, Task>,
): Place | null {
  const parent = line.task.parent_id ? tasks.get(line.task.parent_id) : undefined;
  return parent ? { parent_id: parent.parent_id, after: parent.id } : null;
}

/**
 * Where a task goes that is dropped above the line at `index`, at most `depth` deep.
 * Null where it would stand below itself, or stays where it is.
 */
export function dropped(
  lines: readonly Line[],
  id: string,
  index: number,
  depth: number,
  children: Children,
): (Place & { depth: number }) | null {
  const own = new Set(subtree(id, children));
  let above = index - 1;
  while (above >= 0 && own.has(lines[above]?.id ?? "")) above--;
  const previous = lines[above];
  if (!isTask(previous)) return first(lines, above, own);
  const next = lines.slice(index).find((it) => !own.has(it.id));
  const least = isTask(next) ? next.depth : 0;
  const level = Math.max(least, Math.min(depth, previous.depth + 1, DEPTH_LIMIT - 1));
  const group = previous.group;
  if (level > previous.depth) {
    const child = (children.get(previous.id) ?? []).find((it) => !own.has(it.id));
    const place = { parent_id: previous.id, group, depth: level };
    return child ? { ...place, before: child.id } : place;
  }
  let beside = above;
  while (beside >= 0) {
    const line = lines[beside];
    if (isTask(line) && line.depth === level && !own.has(line.id))
      return { parent_id: line.task.parent_id, after: line.id, group, depth: level };
    beside--;
  }
  return null;
}

function first(lines: readonly Line[], above: number, own: ReadonlySet<string>) {
  const group = lines[above]?.id.replace(/^group:/, "");
  const next = lines.slice(above + 1).find((it) => isTask(it) && !own.has(it.id));
  const place = {
    parent_id: null,
    depth: 0,
    ...(group === undefined ? {} : { group }),
  };
  return isTask(next) && next.depth === 0 ? { ...place, before: next.id } : place;
}

/** The rank that shows a task or a section in its place until the server has said its own. */
export function rankAt(place: Partial<Place>, all: readonly Placed[]): string {
  const index = all.findIndex((it) => it.id === (place.before ?? place.after));
  const rank = (at: number) => (all[at] ? rankOf(all[at]) : "");
  if (index < 0) return between(rank(all.length - 1), "");
  return place.before
    ? between(rank(index - 1), rank(index))
    : between(rank(index), rank(index + 1));
}
