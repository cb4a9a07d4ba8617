import "./board.css";

import { newId } from "@metacortex/client";
import { useMemo, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import NameDialog from "../../shared/ui/NameDialog.tsx";
import { createSection } from "../commands/sections.ts";
import { useActions } from "../useActions.ts";
import { Card } from "./Card.tsx";
import { ColumnMenu } from "./ColumnMenu.tsx";
import { type Column, columnsOf, moveTo } from "./columns.ts";

/** The open tasks of a project in columns: its sections, and those in none. */
export default function Board({ projectId }: { projectId: string }) {
  const snapshot = useSnapshot();
  const [naming, setNaming] = useState(false);
  const actions = useActions();
  const columns = useMemo(() => columnsOf(snapshot, projectId), [snapshot, projectId]);
  const move = (id: string, column: Column) => {
    const task = snapshot.task.get(id);
    const draft = task && moveTo(task, column);
    if (draft) actions.run([draft]);
  };
  return (
    <div className="board" role="group" aria-label={text.board.title}>
      {columns.map((column, index) => (
        <BoardColumn
          key={column.id}
          column={column}
          onDrop={(id) => move(id, column)}
          onShift={(id, by) => {
            const next = columns[index + by];
            if (next) move(id, next);
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

interface ColumnProps {
  column: Column;
  onDrop: (id: string) => void;
  onShift: (id: string, by: 1 | -1) => void;
}

const KIND = "application/x-metacortex-task";

function BoardColumn({ column, onDrop, onShift }: ColumnProps) {
  const [over, setOver] = useState(false);
  const { title, tasks } = column;
  return (
    <section
      className={over ? "column over" : "column"}
      aria-label={title}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes(KIND)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        onDrop(event.dataTransfer.getData(KIND));
      }}
    >
      <h2>
        <span>{title}</span>
        <span className="number muted">{tasks.length}</span>
        {column.id !== "none" && <ColumnMenu column={column} />}
      </h2>
      <ul>
        {tasks.map((task) => (
          <Card
            key={task.id}
            task={task}
            kind={KIND}
            onShift={(by) => onShift(task.id, by)}
          />
        ))}
      </ul>
    </section>
  );
}
