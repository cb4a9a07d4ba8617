/** Dragging a row by its grip: up and down to order, sideways to nest. */
import {
  type PointerEvent as ReactPointerEvent,
  type RefObject,
  useRef,
  useState,
} from "react";

import type { Children, Line, TaskLine } from "./build.ts";
import { indent, rowHeight } from "./metrics.ts";
import { dropped, type Place } from "./places.ts";

interface Mark {
  top: number;
  inset: number;
  place: Place;
}

const INSET = 30; // where the titles of a root begin

export function useDrag(
  frame: RefObject<HTMLElement | null>,
  lines: readonly Line[],
  children: Children,
  put: ((id: string, where: Place) => void) | null,
) {
  const [mark, setMark] = useState<Mark | null>(null);
  const found = useRef<Mark | null>(null);

  const start = (event: ReactPointerEvent, line: TaskLine) => {
    if (!put || event.button !== 0) return;
    event.preventDefault();
    const from = event.clientX;
    const sign = getComputedStyle(event.currentTarget).direction === "rtl" ? -1 : 1;
    const ended = new AbortController();
    const { signal } = ended;
    const end = (keep: boolean) => {
      ended.abort();
      const place = found.current?.place;
      found.current = null;
      setMark(null);
      if (keep && place) put(line.id, place);
    };
    const move = (now: PointerEvent) => {
      const top = frame.current?.getBoundingClientRect().top ?? 0;
      const index = Math.round((now.clientY - top) / rowHeight());
      const at = Math.max(0, Math.min(lines.length, index));
      const depth = line.depth + Math.round(((now.clientX - from) * sign) / indent());
      const place = dropped(lines, line.id, at, depth, children);
      const next = place && {
        place,
        top: at * rowHeight(),
        inset: INSET + place.depth * indent(),
      };
      found.current = next;
      setMark(next);
    };
    document.addEventListener("pointermove", move, { signal });
    document.addEventListener("pointerup", () => end(true), { signal });
    document.addEventListener("pointercancel", () => end(false), { signal });
    document.addEventListener(
      "keydown",
      (key) => {
        if (key.key === "Escape") end(false);
      },
      { signal },
    );
  };
  return { mark, start };
}
