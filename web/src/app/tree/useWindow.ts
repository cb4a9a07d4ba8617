import { type RefObject, useCallback, useLayoutEffect, useState } from "react";

import { MAIN } from "../../shared/ui/Shell.tsx";
import { rowHeight } from "./metrics.ts";
import { type Range, rangeAt, scrollBy } from "./window.ts";

const NOTHING: Range = { first: 0, end: 0 }; // until the page is measured, before paint

/** The rows of a list that are drawn while the page is scrolled, and a way to one. */
export function useWindow(frame: RefObject<HTMLElement | null>) {
  const [range, setRange] = useState(NOTHING);
  const look = useCallback(() => {
    const main = document.getElementById(MAIN);
    if (!main || !frame.current) return;
    const top = main.scrollTop - frame.current.offsetTop;
    const now = rangeAt(top, main.clientHeight, rowHeight());
    setRange((old) => (old.first === now.first && old.end === now.end ? old : now));
  }, [frame]);
  useLayoutEffect(() => {
    const main = document.getElementById(MAIN);
    if (!main) return;
    look();
    const sizes = new ResizeObserver(look);
    sizes.observe(main);
    main.addEventListener("scroll", look, { passive: true });
    return () => {
      sizes.disconnect();
      main.removeEventListener("scroll", look);
    };
  }, [look]);
  const scrollTo = (index: number) => {
    const main = document.getElementById(MAIN);
    if (!main || !frame.current) return;
    const top = main.scrollTop - frame.current.offsetTop;
    main.scrollTop += scrollBy(index, top, main.clientHeight, rowHeight());
    look(); // at once: whoever scrolls to a row is about to focus it
  };
  return { range, scrollTo };
}
