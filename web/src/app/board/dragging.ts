/** What is moved on a board, by dragging and by keyboard. */
import type { DragEvent } from "react";

import { isRtl } from "../../shared/ui/direction.ts";

export const CARD = "application/x-metacortex-task";
export const SECTION = "application/x-metacortex-section";

/** The kind of what is over a column, if a column takes it. */
export const kindOf = ({ dataTransfer }: DragEvent): string | undefined =>
  [CARD, SECTION].find((it) => dataTransfer.types.includes(it));

/** One column on or back: Alt with an arrow, as one reads. */
export function shiftOf(key: string, altKey: boolean): 1 | -1 | null {
  if (!altKey || !/^Arrow(Left|Right)$/.test(key)) return null;
  return (key === "ArrowRight") === isRtl() ? -1 : 1;
}

/** Focuses the menu of a section once it stands in its new place. */
export function focusSection(id: string): void {
  const place = `[data-section="${id}"] button`;
  requestAnimationFrame(() => document.querySelector<HTMLElement>(place)?.focus());
}
