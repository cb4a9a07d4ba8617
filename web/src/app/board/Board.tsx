import "./board.css";

import { newId } from "@metacortex/client";
import { useMemo, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import NameDialog from "../../shared/ui/NameDialog.tsx";
import { createSection, moveSection } from "../commands/sections.ts";
import { sectionsOf } from "../tree/order.ts";
import { useActions } from "../useActions.ts";
import { BoardColumn } from "./BoardColumn.tsx";
import { type Column, columnsOf, NONE, sectionOf } from "./columns.ts";

/** The open tasks of a project in columns: its sections, and those in none. */
export default function Board({ projectId }: { projectId: string }) {
  const snapshot = useSnapshot();
  const [naming, setNaming] = useState(false);
  const actions = useActions();
  const columns = useMemo(() => columnsOf(snapshot, projectId), [snapshot, projectId]);
  const put = (id: string, column: Column | undefined) => {
    const task = snapshot.task.get(id);
    if (task && column) actions.moveToSection(task, sectionOf(column));
  };
  const sections = sectionsOf(snapshot, projectId);
  /** To the place of another section; the column of none is always the first. */
  const shift = (id: string, to: string | undefined) => {
    const target = to === NONE ? sections[0]?.id : to;
    const own = sections.some((it) => it.id === id);
    if (own && target && target !== id)
      actions.run([moveSection(id, target, sections)]);
  };
  const shiftTo = (id: string, to: Column | undefined) =>
    to && to.id !== NONE ? () => shift(id, to.id) : null;
  return (
    <div className="board" role="group" aria-label={text.board.title}>
      {columns.map((column, index) => (
        <BoardColumn
          key={column.id}
          column={column}
          onCard={(id) => put(id, column)}
          onSection={(id) => shift(id, column.id)}
          onShiftCard={(id, by) => put(id, columns[index + by])}
          onShift={{
            back: shiftTo(column.id, columns[index - 1]),
            on: shiftTo(column.id, columns[index + 1]),
          }}
        />
      ))}
      <button className="button add-column" onClick={() => setNaming(true)}>
        {text.board.addSection}
      </button>
      {naming && (
        <NameDialog
          title={text.board.addSection}
          onClose={() => setNaming(false)}
          onName={(name) => actions.run([createSection(newId(), name, projectId)])}
        />
      )}
    </div>
  );
}
