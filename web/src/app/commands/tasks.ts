/** Commands about tasks, each with what it looks like until the server has answered. */
import { newId } from "@metacortex/client";

import { text } from "../../shared/i18n/index.ts";
import type { Draft, Patch } from "../../shared/sync/pending.ts";
import { type Due, isOpen, type Task } from "../../shared/sync/rows.ts";
import type { Parsed } from "../quickadd/grammar.ts";
import { type Children, subtree } from "../tree/build.ts";
import { type Place, rankAt } from "../tree/places.ts";

const words = text.commands;

const patch = (id: string, set: Partial<Task>): Patch => ({
  type: "task",
  id,
  set: { ...set },
});

const about = (
  type: string,
  task: Task,
  args: object,
  label: string,
  set: Partial<Task>,
): Draft => ({
  type: `task.${type}`,
  target: task.id,
  args: { ...args },
  label,
  patches: [patch(task.id, set)],
});

/** Where a new task stands unless its text says otherwise. */
export interface Defaults {
  project_id?: string | null;
  parent_id?: string | null;
  section_id?: string | null;
  tags?: readonly string[];
  due?: Due | null;
}

function newTask(id: string, more: Partial<Task>): Task {
  const now = new Date().toISOString();
  return {
    id,
    version: 0,
    title: "",
    description: null,
    status: "pending",
    priority: "medium",
    due: null,
    project_id: null,
    parent_id: null,
    tags: [],
    assignee_id: null,
    blocked_reason: null,
    completed_at: null,
    archived: false,
    deleted: false,
    created_at: now,
    updated_at: now,
    ...more,
  };
}

function created(type: "project" | "tag", id: string, name: string): Draft {
  const now = new Date().toISOString();
  const base = { id, version: 0, deleted: false, created_at: now, updated_at: now };
  const set = { ...base, name, description: null, colour: null, archived: false };
  const label =
    type === "project" ? words.createdProject(name) : words.createdTag(name);
  return {
    type: `${type}.create`,
    target: null,
    args: { id, name },
    label,
    patches: [{ type, id, set }],
  };
}

export const createProject = (id: string, name: string): Draft =>
  created("project", id, name);

/** A task, and before it whatever project and tags it names that do not exist. */
export function createTask(
  parsed: Parsed,
  defaults: Defaults = {},
): { id: string; drafts: Draft[] } {
  const drafts: Draft[] = [];
  const made = (
    type: "project" | "tag",
    it: { id: string | null; name: string },
  ): string => {
    if (it.id !== null) return it.id;
    const id = newId();
    drafts.push(created(type, id, it.name));
    return id;
  };
  const id = newId();
  const project = parsed.project
    ? made("project", parsed.project)
    : defaults.project_id;
  const named = parsed.tags.map((it) => made("tag", it));
  const tags = [...new Set([...named, ...(defaults.tags ?? [])])];
  const due = parsed.due ? { ...parsed.due, time_zone: null } : (defaults.due ?? null);
  const args: Record<string, unknown> = {
    id,
    title: parsed.title,
    ...(parsed.priority && { priority: parsed.priority }),
    ...(due && { due }),
    ...(project && { project_id: project }),
    ...(defaults.parent_id && { parent_id: defaults.parent_id }),
    ...(tags.length > 0 && { tags }),
  };
  const shown = newTask(id, { ...args, tags });
  drafts.push({
    type: "task.create",
    target: null,
    args,
    label: words.added(parsed.title),
    patches: [patch(id, shown)],
  });
  return { id, drafts };
}

export const complete = (task: Task): Draft =>
  about("complete", task, {}, words.completed(task.title), {
    status: "completed",
    completed_at: new Date().toISOString(),
  });

export const reopen = (task: Task): Draft =>
  about("reopen", task, {}, words.reopened(task.title), {
    status: "pending",
    completed_at: null,
  });

export const start = (task: Task): Draft =>
  about("start", task, {}, words.started(task.title), { status: "in_progress" });

export const cancel = (task: Task): Draft =>
  about("cancel", task, {}, words.cancelled(task.title), { status: "cancelled" });

export const restore = (task: Task): Draft =>
  about("restore", task, {}, words.restored(task.title), { deleted: false });

export const toggle = (task: Task): Draft =>
  isOpen(task) ? complete(task) : reopen(task);

export type Edit = Partial<
  Pick<Task, "title" | "description" | "priority" | "due" | "assignee_id">
>;

export const edit = (task: Task, fields: Edit): Draft =>
  about("edit", task, fields, words.edited(fields.title ?? task.title), fields);

export function retag(
  task: Task,
  add: readonly string[],
  remove: readonly string[],
): Draft {
  const tags = [
    ...task.tags.filter((it) => !remove.includes(it)),
    ...add.filter((it) => !task.tags.includes(it)),
  ];
  return about("edit", task, { tags: { add, remove } }, words.edited(task.title), {
    tags,
  });
}

/** A tag that does not exist yet, on a task. */
export function tagAnew(task: Task, name: string): Draft[] {
  const id = newId();
  return [created("tag", id, name), retag(task, [id], [])];
}

/** To a project, out of its parent; subtasks come along. */
export function moveToProject(
  task: Task,
  project_id: string | null,
  children: Children,
): Draft {
  const args = { project_id, ...(task.parent_id && { parent_id: null }) };
  const along = subtree(task.id, children).slice(1);
  const draft = about("move", task, args, words.moved(task.title), { ...args });
  return {
    ...draft,
    patches: [...draft.patches, ...along.map((id) => patch(id, { project_id }))],
  };
}

/** Into a section of its project, or into none; null where it is there. */
export function moveToSection(task: Task, section_id: string | null): Draft | null {
  if ((task.section_id ?? null) === section_id) return null;
  return about("move", task, { section_id }, words.moved(task.title), { section_id });
}

/** Beside a sibling, or below a parent. */
export function place(task: Task, where: Place, all: readonly Task[]): Draft {
  const { parent_id, before, after, group } = where;
  const section =
    group === undefined || parent_id
      ? {}
      : { section_id: group === "none" ? null : group };
  const args = {
    ...(parent_id !== task.parent_id && { parent_id }),
    ...(before && { before }),
    ...(after && { after }),
    ...("section_id" in section &&
      section.section_id !== (task.section_id ?? null) &&
      section),
  };
  const rank = rankAt(where, all);
  return about("move", task, args, words.moved(task.title), {
    parent_id,
    ...section,
    rank,
  });
}

export function remove(task: Task, children: Children): Draft {
  const gone = subtree(task.id, children);
  return {
    type: "task.delete",
    target: task.id,
    args: {},
    label: words.deleted(task.title),
    patches: gone.map((id) => patch(id, { deleted: true })),
  };
}
