import { useEffect, useRef } from "react";
import { useSearchParams } from "react-router";

import type { Children, HeadingLine, Line, TaskLine } from "./build.ts";
import { rowHeight } from "./metrics.ts";
import { TaskRow } from "./TaskRow.tsx";
import { useDrag } from "./useDrag.ts";
import type { Selection } from "./useSelection.ts";
import type { TreeActions } from "./useTreeKeys.ts";
import { useWindow } from "./useWindow.ts";
import type { Range } from "./window.ts";

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
  const [params] = useSearchParams();
  const shownTask = params.get("task");
  const { range, scrollTo: scrollToLine } = useWindow(frame);
  const drag = useDrag(frame, lines, childrenOf, does?.place ?? null);
  const { current } = selection;

  const scrollTo = (id: string | null) => {
    const index = id === null ? -1 : lines.findIndex((it) => it.id === id);
    if (index >= 0) scrollToLine(index);
  };
  useEffect(() => scrollTo(current), [current]); // eslint-disable-line react-hooks/exhaustive-deps
  const addedIndex = added === null ? -1 : lines.findIndex((it) => it.id === added);
  useEffect(() => scrollTo(added), [added, addedIndex >= 0]); // eslint-disable-line react-hooks/exhaustive-deps

  const row = (line: TaskLine, top: number) => (
    <TaskRow
      key={line.id}
      line={line}
      top={top}
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
    <div className="tree" ref={frame} style={{ height: lines.length * rowHeight() }}>
      {groupsOf(lines, range).map(({ heading, rows, id }) => (
        <div key={id}>
          {heading && <Heading line={heading.line} top={heading.top} />}
          <ul aria-label={heading ? heading.line.title : name}>
            {rows.map((it) => row(it.line, it.top))}
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
  top: number;
}

interface DrawnGroup {
  id: string;
  heading: Drawn<HeadingLine> | null;
  rows: Drawn<TaskLine>[];
}

/** What is drawn, in lists: one for each heading. */
function groupsOf(lines: readonly Line[], { first, end }: Range): DrawnGroup[] {
  const groups: DrawnGroup[] = [];
  for (const [index, line] of lines.slice(first, end).entries()) {
    const top = (first + index) * rowHeight();
    if (line.kind === "heading")
      groups.push({ id: line.id, heading: { line, top }, rows: [] });
    else {
      const id = `group:${line.group}`;
      if (groups.at(-1)?.id !== id) groups.push({ id, heading: null, rows: [] });
      groups.at(-1)?.rows.push({ line, top });
    }
  }
  return groups;
}
