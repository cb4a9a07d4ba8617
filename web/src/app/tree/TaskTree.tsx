import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useSearchParams } from "react-router";

import { MAIN } from "../../shared/ui/Shell.tsx";
import type { Children, HeadingLine, Line, TaskLine } from "./build.ts";
import { rowHeight } from "./metrics.ts";
import { TaskRow } from "./TaskRow.tsx";
import { useDrag } from "./useDrag.ts";
import type { Selection } from "./useSelection.ts";
import type { TreeActions } from "./useTreeKeys.ts";

interface Props {
  name: string;
  lines: readonly Line[];
  childrenOf: Children;
  selection: Selection;
  /** Null where it is read only. */
  does: TreeActions | null;
  editing: string | null;
  added: string | null;
  hideProject: boolean;
}

const OVERSCAN = 12; // rows beyond the edge, so that fast scrolling finds them drawn

export function TaskTree({
  name,
  lines,
  childrenOf,
  selection,
  does,
  editing,
  added,
  hideProject,
}: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [offset, setOffset] = useState(0);
  const [params] = useSearchParams();
  const shownTask = params.get("task");
  useLayoutEffect(() => setOffset(frame.current?.offsetTop ?? 0), []);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => document.getElementById(MAIN),
    estimateSize: rowHeight,
    getItemKey: (index) => lines[index]?.id ?? index,
    overscan: OVERSCAN,
    scrollMargin: offset,
    scrollPaddingStart: 60,
    scrollPaddingEnd: 90,
  });
  const drag = useDrag(frame, lines, childrenOf, does?.place ?? null);
  const { current } = selection;

  const scrollTo = (id: string | null) => {
    const index = id === null ? -1 : lines.findIndex((it) => it.id === id);
    if (index >= 0) virtual.scrollToIndex(index, { align: "auto" });
  };
  useEffect(() => scrollTo(current), [current]); // eslint-disable-line react-hooks/exhaustive-deps
  const addedIndex = added === null ? -1 : lines.findIndex((it) => it.id === added);
  useEffect(() => scrollTo(added), [added, addedIndex >= 0]); // eslint-disable-line react-hooks/exhaustive-deps

  const row = (line: TaskLine, start: number) => (
    <TaskRow
      key={line.id}
      line={line}
      top={start - offset}
      does={does}
      selection={selection}
      isShown={line.id === shownTask}
      isEditing={line.id === editing}
      isAdded={line.id === added}
      hideProject={hideProject}
      onGrip={does?.place ? drag.start : null}
    />
  );
  return (
    <div className="tree" ref={frame} style={{ height: virtual.getTotalSize() }}>
      {groupsOf(lines, virtual.getVirtualItems()).map(({ heading, rows, id }) => (
        <div key={id}>
          {heading && <Heading line={heading.line} top={heading.start - offset} />}
          <ul aria-label={heading ? heading.line.title : name}>
            {rows.map((it) => row(it.line, it.start))}
          </ul>
        </div>
      ))}
      {drag.mark && (
        <div
          className="drop"
          style={{ top: drag.mark.top, insetInlineStart: drag.mark.inset }}
        />
      )}
    </div>
  );
}

function Heading({ line, top }: { line: HeadingLine; top: number }) {
  return (
    <h2 className={line.late ? "heading late" : "heading"} style={{ top }}>
      <span>{line.title}</span>
      <span className="number">{line.count}</span>
    </h2>
  );
}

interface Drawn<L> {
  line: L;
  start: number;
}

interface DrawnGroup {
  id: string;
  heading: Drawn<HeadingLine> | null;
  rows: Drawn<TaskLine>[];
}

/** What is drawn, in lists: one for each heading. */
function groupsOf(
  lines: readonly Line[],
  items: readonly { index: number; start: number }[],
): DrawnGroup[] {
  const groups: DrawnGroup[] = [];
  for (const { index, start } of items) {
    const line = lines[index];
    if (line?.kind === "heading")
      groups.push({ id: line.id, heading: { line, start }, rows: [] });
    else if (line) {
      const id = `group:${line.group}`;
      if (groups.at(-1)?.id !== id) groups.push({ id, heading: null, rows: [] });
      groups.at(-1)?.rows.push({ line, start });
    }
  }
  return groups;
}
