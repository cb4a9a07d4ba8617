/**
 * The order of siblings: a fractional index over base 62, compared by bytes. A task that
 * was never moved stands where its creation puts it.
 */
import type { Task } from "../../shared/sync/rows.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = DIGITS.length;
const WIDTH = 9; // base 62 digits of the microseconds since 1970, until the year 2398

type Placed = Pick<Task, "id" | "created_at"> & { rank?: string | null };

function implicit(createdAt: string): string {
  const fraction = /\.(\d+)/.exec(createdAt)?.[1] ?? "";
  let left =
    Math.floor(Date.parse(createdAt) / 1000) * 1e6 +
    Number(fraction.padEnd(6, "0").slice(0, 6));
  let found = "";
  for (let place = 0; place < WIDTH; place++) {
    found = DIGITS.charAt(left % BASE) + found;
    left = Math.floor(left / BASE);
  }
  return found;
}

export const rankOf = (task: Placed): string => task.rank ?? implicit(task.created_at);

const bytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function inOrder(a: Placed, b: Placed): number {
  if (!a.rank && !b.rank) return bytes(a.created_at, b.created_at) || bytes(a.id, b.id);
  return bytes(rankOf(a), rankOf(b)) || bytes(a.id, b.id);
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
