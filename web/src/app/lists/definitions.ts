/** The lists of the app: what belongs to each, and how it is grouped. */
import { text } from "../../shared/i18n/index.ts";
import type { Snapshot } from "../../shared/sync/replica.ts";
import { isOpen, type Task } from "../../shared/sync/rows.ts";
import { wallClock } from "../../shared/time/days.ts";
import { dayName } from "../../shared/time/words.ts";
import type { Defaults } from "../commands/tasks.ts";
import type { Choice, Group } from "../tree/build.ts";
import { inOrder } from "../tree/order.ts";

export type ListKind =
  "inbox" | "today" | "upcoming" | "all" | "completed" | "project" | "tag";

export interface ListOf {
  kind: ListKind;
  /** Of the project or the tag. */
  id?: string;
}

export interface Situation {
  /** The day on the reader's wall. */
  today: string;
  timeZone: string;
  /** Done while one looked: they stay in their place. */
  lingering: ReadonlySet<string>;
  collapsed: ReadonlySet<string>;
  showDone: boolean;
}

const byDue = (a: Task, b: Task): number => {
  const due = (it: Task) => (it.due ? `${it.due.date}T${it.due.time ?? "99"}` : "~");
  return due(a) === due(b) ? inOrder(a, b) : due(a) < due(b) ? -1 : 1;
};
const lastDone = (a: Task, b: Task): number =>
  (a.completed_at ?? a.updated_at) < (b.completed_at ?? b.updated_at) ? 1 : -1;

const dueOf = (task: Task): string => task.due?.date ?? "";

function todayGroup(task: Task, today: string): Group {
  const late = dueOf(task) < today;
  return late
    ? { id: "late", title: text.overdue, order: "0", late }
    : { id: "today", title: text.lists.today, order: "1" };
}

function dayGroup(task: Task, today: string): Group {
  const date = dueOf(task);
  if (date < today) return { id: "late", title: text.overdue, order: "0", late: true };
  return { id: date, title: dayName(date, today), order: date };
}

function doneGroup(task: Task, { today, timeZone }: Situation): Group {
  const day = wallClock(new Date(task.completed_at ?? task.updated_at), timeZone).date;
  const order = String(99_999_999 - Number(day.replaceAll("-", "")));
  return { id: day, title: dayName(day, today), order };
}

type Part = Pick<Choice, "match"> & Partial<Choice>;

function part({ kind, id }: ListOf, situation: Situation, snapshot: Snapshot): Part {
  const { today } = situation;
  switch (kind) {
    case "inbox":
      return { match: (it) => it.project_id === null };
    case "today":
      return {
        match: (it) => it.due !== null && it.due.date <= today,
        group: (it) => todayGroup(it, today),
        compare: byDue,
      };
    case "upcoming":
      return {
        match: (it) => it.due !== null,
        group: (it) => dayGroup(it, today),
        compare: byDue,
      };
    case "all":
      return { match: () => true };
    case "completed":
      return {
        match: (it) => !isOpen(it),
        group: (it) => doneGroup(it, situation),
        compare: lastDone,
        flat: true,
      };
    case "project":
      return { match: (it) => it.project_id === id, ...sections(id, snapshot) };
    case "tag":
      return { match: (it) => id !== undefined && it.tags.includes(id) };
  }
}

function sections(projectId: string | undefined, snapshot: Snapshot): Partial<Choice> {
  const groups: Group[] = [];
  for (const it of snapshot.section.values())
    if (it.project_id === projectId && !it.deleted)
      groups.push({
        id: it.id,
        title: it.name,
        order: `1${it.rank ?? it.created_at}`,
        always: true,
      });
  if (groups.length === 0) return {};
  const none: Group = { id: "none", title: text.noSection, order: "0" };
  return {
    groups,
    group: (it) => groups.find(({ id }) => id === it.section_id) ?? none,
  };
}

export function choiceOf(
  list: ListOf,
  situation: Situation,
  snapshot: Snapshot,
): Choice {
  const { lingering, collapsed, showDone } = situation;
  const shows = (it: Task) =>
    list.kind === "completed" || isOpen(it) || showDone || lingering.has(it.id);
  return { collapsed, shows, ...part(list, situation, snapshot) };
}

/** What a task gets that is added in this list. */
export function defaultsOf({ kind, id }: ListOf, today: string): Defaults {
  if (kind === "project" && id) return { project_id: id };
  if (kind === "tag" && id) return { tags: [id] };
  if (kind === "today") return { due: { date: today, time: null, time_zone: null } };
  return {};
}

export function nameOf({ kind, id = "" }: ListOf, snapshot: Snapshot): string {
  if (kind === "project") return snapshot.project.get(id)?.name ?? text.lists.project;
  if (kind === "tag") return snapshot.tag.get(id)?.name ?? text.lists.tag;
  return text.lists[kind];
}

export interface Counts {
  inbox: number;
  today: number;
  all: number;
  projects: ReadonlyMap<string, number>;
}

/** Open tasks of each list, in one pass. */
export function countsOf(tasks: Iterable<Task>, today: string): Counts {
  const projects = new Map<string, number>();
  const counts = { inbox: 0, today: 0, all: 0 };
  for (const task of tasks) {
    if (task.deleted || task.archived || !isOpen(task)) continue;
    counts.all += 1;
    if (task.project_id === null) counts.inbox += 1;
    else projects.set(task.project_id, (projects.get(task.project_id) ?? 0) + 1);
    if (task.due && task.due.date <= today) counts.today += 1;
  }
  return { ...counts, projects };
}
