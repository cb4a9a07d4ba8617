import { type DragEvent, useState } from "react";

import { Card } from "./Card.tsx";
import { ColumnMenu } from "./ColumnMenu.tsx";
import { type Column, NONE } from "./columns.ts";
import { CARD, kindOf, SECTION } from "./dragging.ts";

interface Props {
  column: Column;
  /** A task comes into the column. */
  onCard: (id: string) => void;
  /** A section comes to the column's place. */
  onSection: (id: string) => void;
  /** A card goes some columns on. */
  onShiftCard: (id: string, by: 1 | -1) => void;
  /** The column itself does; null at that end. */
  onShift: Record<"back" | "on", (() => void) | null>;
}

export function BoardColumn(props: Props) {
  const { column, onCard, onSection, onShiftCard, onShift } = props;
  const [over, setOver] = useState(false);
  const { id, title, tasks } = column;
  const isSection = id !== NONE;
  const drop = (event: DragEvent) => {
    setOver(false);
    const kind = kindOf(event);
    if (!kind) return;
    event.preventDefault();
    const dropped = event.dataTransfer.getData(kind);
    if (kind === CARD) onCard(dropped);
    else onSection(dropped);
  };
  return (
    <section
      className={over ? "column over" : "column"}
      aria-label={title}
      onDragOver={(event) => {
        if (!kindOf(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <h2
        draggable={isSection}
        data-section={id}
        onDragStart={(event) => event.dataTransfer.setData(SECTION, id)}
      >
        <span>{title}</span>
        <span className="number muted">{tasks.length}</span>
        {isSection && <ColumnMenu column={column} onShift={onShift} />}
      </h2>
      <ul>
        {tasks.map((task) => (
          <Card key={task.id} task={task} onShift={(by) => onShiftCard(task.id, by)} />
        ))}
      </ul>
    </section>
  );
}
