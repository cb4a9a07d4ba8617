import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { Chip } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import type { Process } from "../types.ts";
import { bytes, span } from "../words.ts";

const { columns, workers } = ops;

const FIGURES: Column<Process>[] = [
  {
    id: "who",
    title: columns.process,
    render: (it) => `${workers.kinds[it.kind]} · ${it.host} · ${it.pid}`,
  },
  { id: "state", title: columns.state, render: (it) => <State process={it} /> },
  {
    id: "memory",
    title: columns.memory,
    number: true,
    render: (it) => bytes(it.rss_bytes),
  },
  {
    id: "seen",
    title: columns.seen,
    render: (it) => <When at={it.seen_at} as="ago" />,
  },
];

const MORE: Column<Process>[] = [
  { id: "running", title: columns.running, render: (it) => <Running process={it} /> },
  { id: "queues", title: columns.queues, render: (it) => it.queues.join(", ") || "–" },
  {
    id: "loop",
    title: columns.loop,
    number: true,
    render: (it) => span(it.loop_delay_ms / 1000),
  },
  {
    id: "started",
    title: columns.started,
    render: (it) => <When at={it.started_at} />,
  },
  { id: "version", title: columns.version, render: (it) => it.version },
  {
    id: "does",
    title: columns.runs,
    render: (it) => (
      <Link className="ops-link" to={`/ops/runs?worker=${it.id}`}>
        {workers.runs}
      </Link>
    ),
  },
];

function State({ process: { state } }: { process: Process }) {
  const tone = { alive: "good", stalled: "late", gone: "plain" } as const;
  return <Chip tone={tone[state]}>{workers.states[state]}</Chip>;
}

function Running({ process: { running } }: { process: Process }) {
  if (running.length === 0) return <span className="muted">{workers.idle}</span>;
  return (
    <span className="ops-does">
      {running.map((it) => (
        <Link className="ops-link" key={it.run_id} to={`/ops/runs/${it.run_id}`}>
          {it.actor} <When at={it.started_at} as="ago" />
        </Link>
      ))}
    </span>
  );
}

export function WorkersTable({
  rows,
  brief = false,
}: {
  rows: readonly Process[];
  brief?: boolean;
}) {
  return (
    <Table
      caption={ops.pagesNamed.workers}
      columns={brief ? FIGURES : [...FIGURES, ...MORE]}
      rows={rows}
      keyOf={(it) => it.id}
      empty={workers.empty}
    />
  );
}
