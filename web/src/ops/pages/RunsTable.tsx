import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { ActionButton } from "../parts/ActionButton.tsx";
import { Id, OutcomeChip } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import { Link } from "react-router";
import type { Run } from "../types.ts";
import { short, took } from "../words.ts";

const { columns } = ops;

const COLUMNS: Column<Run>[] = [
  {
    id: "actor",
    title: columns.actor,
    render: (it) => (
      <Link className="ops-link" to={`/ops/runs/${it.id}`}>
        {it.actor}
      </Link>
    ),
  },
  {
    id: "outcome",
    title: columns.outcome,
    render: (it) => <OutcomeChip outcome={it.outcome} />,
  },
  { id: "at", title: columns.enqueued, render: (it) => <When at={it.enqueued_at} /> },
  {
    id: "took",
    title: columns.duration,
    number: true,
    render: (it) => took(it.duration_ms),
  },
  {
    id: "attempt",
    title: columns.attempt,
    number: true,
    render: (it) => ops.run.attempt(it.attempt, it.max_attempts),
  },
  { id: "queue", title: columns.queue, render: (it) => it.queue },
  {
    id: "error",
    title: columns.error,
    render: (it) =>
      it.error ? (
        <span className="ops-error" title={it.error.message}>
          {it.error.type}: {it.error.message}
        </span>
      ) : (
        <span className="muted">{ops.nothing}</span>
      ),
  },
  { id: "id", title: ops.run.id, render: (it) => <Id id={it.id} /> },
];

const DOES: Column<Run> = {
  id: "does",
  title: columns.does,
  render: (it) => it.open && <RunActions run={it} />,
};

export function RunActions({ run, primary = false }: { run: Run; primary?: boolean }) {
  const name = `${run.actor} ${short(run.id)}`;
  return (
    <span className="ops-does">
      <ActionButton act="run.retry" id={run.id} of={name} primary={primary} />
      <ActionButton act="run.discard" id={run.id} of={name} />
    </span>
  );
}

interface Props {
  caption: string;
  rows: readonly Run[];
  empty: string;
}

export function RunsTable({ caption, rows, empty }: Props) {
  const open = rows.some((it) => it.open);
  return (
    <Table
      caption={caption}
      columns={open ? [...COLUMNS, DOES] : COLUMNS}
      rows={rows}
      keyOf={(it) => it.id}
      empty={empty}
    />
  );
}
