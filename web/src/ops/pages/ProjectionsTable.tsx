import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { ActionButton } from "../parts/ActionButton.tsx";
import { Chip, Id, ProgressBar } from "../parts/small.tsx";
import type { Projection } from "../types.ts";
import { number, short, span } from "../words.ts";

const { columns, projections } = ops;
const pageOf = (id: string) => `/ops/projections?workspace_id=${id}`;

const FIGURES: Column<Projection>[] = [
  {
    id: "workspace",
    title: columns.workspace,
    render: (it) => <Id id={it.workspace_id} to={pageOf(it.workspace_id)} />,
  },
  {
    id: "behind",
    title: columns.behind,
    number: true,
    render: (it) => number(it.behind),
  },
  { id: "lag", title: columns.lag, number: true, render: (it) => span(it.lag_s) },
  { id: "state", title: columns.state, render: (it) => <State projection={it} /> },
];

const MORE: Column<Projection>[] = [
  { id: "head", title: columns.head, number: true, render: (it) => number(it.head) },
  {
    id: "does",
    title: columns.does,
    render: (it) => (
      <span className="ops-does">
        {it.parked && (
          <ActionButton
            act="projection.retry"
            id={it.workspace_id}
            of={short(it.workspace_id)}
            primary
          />
        )}
        <ActionButton
          act="projection.rebuild"
          id={it.workspace_id}
          of={short(it.workspace_id)}
        />
        <ActionButton
          act="projection.verify"
          id={it.workspace_id}
          of={short(it.workspace_id)}
        />
        <Link className="button plain" to={`/ops/runs?q=${it.workspace_id}`}>
          {projections.runs}
        </Link>
      </span>
    ),
  },
];

export function State({ projection }: { projection: Projection }) {
  const { parked, rebuilding, behind } = projection;
  if (rebuilding) return <Rebuilding of={rebuilding} />; // it ends being parked
  if (parked)
    return <Chip tone="late">{projections.parked(number(parked.sequence))}</Chip>;
  if (behind > 0) return <Chip tone="warn">{projections.behind}</Chip>;
  return <span className="muted">{projections.following}</span>;
}

/** How far a rebuild or a comparison is, and how long it still takes. */
export function Rebuilding({ of }: { of: NonNullable<Projection["rebuilding"]> }) {
  return (
    <span className="ops-does">
      <ProgressBar {...of} />
      <span className="muted small">
        {of.eta_s === null ? projections.working : projections.eta(span(of.eta_s))}
      </span>
    </span>
  );
}

interface Props {
  rows: readonly Projection[];
  empty: string;
  /** Without what one can do. */
  brief?: boolean;
}

export function ProjectionsTable({ rows, empty, brief = false }: Props) {
  return (
    <Table
      caption={ops.pagesNamed.projections}
      columns={brief ? FIGURES : [...FIGURES, ...MORE]}
      rows={rows}
      keyOf={(it) => it.workspace_id}
      empty={empty}
    />
  );
}
