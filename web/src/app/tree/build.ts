/** From the tasks of a list to the rows that it shows: an indented tree, in groups. */
import { isOpen, type Task } from "../../shared/sync/rows.ts";
import { inOrder } from "./order.ts";

export interface TaskLine {
  kind: "task";
  id: string;
  task: Task;
  depth: number;
  /** Direct subtasks, and how many of them are done. */
  subtasks: number;
  done: number;
  collapsed: boolean;
  group: string;
}

export interface HeadingLine {
  kind: "heading";
  id: string;
  title: string;
  count: number;
  late: boolean;
}

export type Line = TaskLine | HeadingLine;

export interface Group {
  id: string;
  title: string;
  /** Groups are sorted by it. */
  order: string;
  late?: boolean;
  /** Shown even where it is empty, as sections are. */
  always?: boolean;
}

export interface Choice {
  /** Whether a task belongs to the list by itself. */
  match: (task: Task) => boolean;
  /** Whether a done task is shown in its place. */
  shows: (task: Task) => boolean;
  /** Group of a root; null for a list without groups. */
  group?: (task: Task) => Group;
  groups?: readonly Group[];
  compare?: (a: Task, b: Task) => number;
  /** Done tasks, no subtasks below their parents: each task for itself. */
  flat?: boolean;
  collapsed: ReadonlySet<string>;
}

export type Children = ReadonlyMap<string, readonly Task[]>;

/** Subtasks by parent, in order; deleted and archived ones left out. */
export function childrenOf(tasks: Iterable<Task>): Children {
  const found = new Map<string, Task[]>();
  for (const task of tasks) {
    if (!task.parent_id || task.deleted || task.archived) continue;
    const siblings = found.get(task.parent_id);
    if (siblings) siblings.push(task);
    else found.set(task.parent_id, [task]);
  }
  for (const siblings of found.values()) siblings.sort(inOrder);
  return found;
}

/** Tasks of the list that have no ancestor in it, so that each is shown once. */
export function rootsOf(tasks: ReadonlyMap<string, Task>, choice: Choice): Task[] {
  const inList = (task: Task) =>
    !task.deleted && !task.archived && choice.match(task) && choice.shows(task);
  const hidden = (task: Task): boolean => {
    const seen = new Set<string>();
    let above = task.parent_id;
    while (above && !seen.has(above)) {
      seen.add(above);
      const parent = tasks.get(above);
      if (!parent) return false;
      if (inList(parent)) return true;
      above = parent.parent_id;
    }
    return false;
  };
  const found: Task[] = [];
  for (const task of tasks.values())
    if (inList(task) && (choice.flat || !hidden(task))) found.push(task);
  return found.sort(choice.compare ?? inOrder);
}

class Builder {
  readonly lines: Line[] = [];
  open = 0;

  constructor(
    private readonly children: Children,
    private readonly choice: Choice,
  ) {}

  add(task: Task, depth: number, group: string): void {
    const below = this.choice.flat ? [] : (this.children.get(task.id) ?? []);
    const collapsed = below.length > 0 && this.choice.collapsed.has(task.id);
    const done = below.filter((it) => !isOpen(it)).length;
    const { id } = task;
    this.lines.push({
      kind: "task",
      id,
      task,
      depth,
      subtasks: below.length,
      done,
      collapsed,
      group,
    });
    if (isOpen(task)) this.open += 1;
    if (!collapsed) for (const one of below) this.add(one, depth + 1, group);
  }

  heading(group: Group, roots: readonly Task[]): void {
    const place = this.lines.length;
    const before = this.open;
    for (const task of roots) this.add(task, 0, group.id);
    const { id, title, late = false } = group;
    const count = this.choice.flat ? roots.length : this.open - before;
    this.lines.splice(place, 0, {
      kind: "heading",
      id: `group:${id}`,
      title,
      count,
      late,
    });
  }
}

export function buildLines(
  tasks: ReadonlyMap<string, Task>,
  choice: Choice,
  children: Children = childrenOf(tasks.values()),
): Line[] {
  const roots = rootsOf(tasks, choice);
  const builder = new Builder(children, choice);
  if (!choice.group) {
    for (const task of roots) builder.add(task, 0, "");
    return builder.lines;
  }
  const groups = new Map<string, { group: Group; roots: Task[] }>();
  for (const group of choice.groups ?? [])
    if (group.always) groups.set(group.id, { group, roots: [] });
  for (const task of roots) {
    const group = choice.group(task);
    const known = groups.get(group.id);
    if (known) known.roots.push(task);
    else groups.set(group.id, { group, roots: [task] });
  }
  const sorted = [...groups.values()].sort((a, b) =>
    a.group.order < b.group.order ? -1 : 1,
  );
  for (const { group, roots: members } of sorted) builder.heading(group, members);
  return builder.lines;
}

/** A task with everything below it. */
export function subtree(id: string, children: Children): string[] {
  const found = [id];
  for (let index = 0; index < found.length; index++)
    for (const one of children.get(found[index] ?? "") ?? [])
      if (!found.includes(one.id)) found.push(one.id);
  return found;
}
