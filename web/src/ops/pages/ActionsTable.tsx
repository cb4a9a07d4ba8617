import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { targetOf } from "../causes.ts";
import { Id } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import type { Action } from "../types.ts";
import { short } from "../words.ts";

const { columns } = ops;

const COLUMNS: Column<Action>[] = [
  { id: "at", title: columns.at, render: (it) => <When at={it.at} /> },
  { id: "who", title: columns.who, render: (it) => it.actor_id },
  { id: "action", title: columns.action, render: (it) => it.action },
  {
    id: "target",
    title: columns.target,
    render: (it) => (
      <Link
        className="ops-link"
        title={it.target}
        to={targetOf(it.action, it.target)}
        dir="auto"
      >
        {short(it.target)}
      </Link>
    ),
  },
  { id: "result", title: columns.result, render: (it) => it.result },
  {
    id: "run",
    title: ops.pagesNamed.run,
    render: (it) => <Id id={it.run_id} to={`/ops/runs/${it.run_id}`} />,
  },
  { id: "ip", title: columns.ip, render: (it) => it.ip ?? ops.nothing },
];

interface Props {
  caption: string;
  rows: readonly Action[];
  empty: string;
}

export function ActionsTable({ caption, rows, empty }: Props) {
  return (
    <Table
      caption={caption}
      columns={COLUMNS}
      rows={rows}
      keyOf={(it) => it.id}
      empty={empty}
    />
  );
}
