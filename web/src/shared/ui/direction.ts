/** The direction of writing: the catalogue's, or what was chosen. */
import { text } from "../i18n/index.ts";

export type Direction = "auto" | "ltr" | "rtl";

const KEY = "metacortex.direction";

export function storedDirection(): Direction {
  const found = localStorage.getItem(KEY);
  return found === "ltr" || found === "rtl" ? found : "auto";
}

export function setDirection(direction: Direction): void {
  localStorage.setItem(KEY, direction);
  startDirection();
}

export function startDirection(): void {
  const chosen = storedDirection();
  document.documentElement.dir = chosen === "auto" ? text.direction : chosen;
  document.documentElement.lang = text.language;
}

/** Whether one reads from right to left, now. */
export const isRtl = (): boolean => document.documentElement.dir === "rtl";
