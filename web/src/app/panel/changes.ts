/** The changes of a history entry in words. */
import { text } from "../../shared/i18n/index.ts";
import type { Snapshot } from "../../shared/sync/replica.ts";
import type { Due, Priority, Status } from "../../shared/sync/rows.ts";

export interface ChangeWords {
  field: string;
  /** Null where there was nothing before the task itself. */
  from: string | null;
  to: string;
}

const HIDDEN = new Set(["rank", "deleted_with", "comment_id", "completed_at"]);
const LONG = 80; // characters of a text that stand in a line

interface Entry {
  version: number;
  changes: Record<string, { from?: unknown; to?: unknown }>;
}

type Names = Pick<Snapshot, "project" | "tag" | "task" | "section"> & {
  nameOf: (id: string) => string;
};

export function changesOf(entry: Entry, names: Names): ChangeWords[] {
  const birth = entry.version === 1;
  const found: ChangeWords[] = [];
  for (const [name, change] of Object.entries(entry.changes)) {
    if (HIDDEN.has(name) || (birth && isEmpty(change.to))) continue;
    const field = (text.fields as Record<string, string>)[shortened(name)] ?? name;
    const from = birth ? null : inWords(name, change.from, names);
    found.push({
      field: field.toLowerCase(),
      from,
      to: inWords(name, change.to, names),
    });
  }
  return found;
}

const shortened = (name: string): string => name.replace(/_id$/, "");

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === null || value === undefined || value === false || value === "medium";
}

function inWords(name: string, value: unknown, names: Names): string {
  if (value === null || value === undefined) return text.none;
  if (name === "due") return dueIn(value as Due);
  if (name === "status") return text.status[value as Status].toLowerCase();
  if (name === "priority") return text.priority[value as Priority].toLowerCase();
  if (typeof value === "boolean") return value ? text.yes : text.no;
  if (name === "project_id")
    return names.project.get(value as string)?.name ?? text.lists.project;
  if (name === "parent_id")
    return names.task.get(value as string)?.title ?? text.fields.parent;
  if (name === "section_id")
    return names.section.get(value as string)?.name ?? text.fields.section;
  if (name === "assignee_id") return names.nameOf(value as string);
  if (Array.isArray(value)) return tagsIn(value as string[], names);
  const words = typeof value === "string" ? value : JSON.stringify(value);
  return words.length > LONG ? `${words.slice(0, LONG)}…` : words;
}

const dueIn = ({ date, time, time_zone: zone }: Due): string =>
  [date, time?.slice(0, 5), zone].filter(Boolean).join(" ");

const tagsIn = (ids: string[], names: Names): string =>
  ids.map((id) => names.tag.get(id)?.name ?? text.lists.tag).join(", ") || text.none;
