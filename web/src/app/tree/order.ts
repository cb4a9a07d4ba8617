/**
 * The order of siblings: a fractional index over base 62, compared by bytes. A task that
 * was never moved stands where its creation puts it.
 */
import { microseconds } from "../../shared/sync/instants.ts";
import type { Snapshot } from "../../shared/sync/replica.ts";
import type { Section, Task } from "../../shared/sync/rows.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = DIGITS.length;
const INSTANT = 15; // hexadecimal digits of the microseconds since 1970, as the server has it

export type Placed = Pick<Task, "id" | "created_at"> & { rank?: string | null };

/** The rank of what was never moved: by creation, then by id; none ends in 0. */
function ofCreation({ id, created_at }: Placed): string {
  const instant = microseconds(created_at);
  return `${instant.toString(16).padStart(INSTANT, "0")}${id.replaceAll("-", "")}1`;
}

export const rankOf = (task: Placed): string => task.rank ?? ofCreation(task);

const bytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function inOrder(a: Placed, b: Placed): number {
  if (!a.rank && !b.rank) return bytes(a.created_at, b.created_at) || bytes(a.id, b.id);
  return bytes(rankOf(a), rankOf(b)) || bytes(a.id, b.id);
}

/** The sections of a project, in order. */
export function sectionsOf(
  { section }: Pick<Snapshot, "section">,
  projectId: string,
): Section[] {
  return [...section.values()]
    .filter((it) => it.project_id === projectId && !it.deleted)
    .sort(inOrder);
}

/** Returns an index between two; an empty one stands for the beginning or the end. */
export function between(before: string, after: string): string {
  let found = "";
  let bounded = after !== "";
  for (let place = 0; ; place++) {
    const low = digit(before, place);
    const high = bounded ? digit(after, place) : BASE;
    if (high - low > 1) return found + DIGITS.charAt(Math.floor((low + high) / 2));
    found += DIGITS.charAt(low);
    if (high > low) bounded = false;
  }
}

const digit = (index: string, place: number): number =>
  Math.max(0, DIGITS.indexOf(index.charAt(place) || "0"));
