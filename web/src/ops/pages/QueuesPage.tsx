import { operations } from "@metacortex/client";
import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { ActionButton } from "../parts/ActionButton.tsx";
import { Notices } from "../parts/Notices.tsx";
import { Page } from "../parts/Page.tsx";
import { Chip } from "../parts/small.tsx";
import { useAsk } from "../questions.ts";
import type { Queue } from "../types.ts";
import { number, rate, span } from "../words.ts";

const { columns } = ops;

const QUEUES: Column<Queue>[] = [
  {
    id: "name",
    title: columns.name,
    render: (it) => (
      <Link className="ops-link" to={`/ops/runs?queue=${encodeURIComponent(it.name)}`}>
        {it.name}
      </Link>
    ),
  },
  {
    id: "state",
    title: columns.state,
    render: (it) =>
      it.paused ? (
        <Link
          className="ops-link"
          title={ops.queues.whoPaused}
          to={`/ops/actions?target=${encodeURIComponent(it.name)}`}
        >
          <Chip tone="warn">{ops.queues.paused}</Chip>
        </Link>
      ) : (
        <span className="muted">{ops.queues.on}</span>
      ),
  },
  { id: "ready", title: columns.ready, number: true, render: (it) => number(it.ready) },
  {
    id: "delayed",
    title: columns.delayed,
    number: true,
    render: (it) => number(it.delayed),
  },
  {
    id: "running",
    title: columns.running,
    number: true,
    render: (it) => number(it.running),
  },
  { id: "dead", title: columns.dead, number: true, render: (it) => number(it.dead) },
  {
    id: "oldest",
    title: columns.oldest,
    number: true,
    render: (it) => (it.oldest_age_s === null ? ops.nothing : span(it.oldest_age_s)),
  },
  {
    id: "rate",
    title: columns.rate,
    number: true,
    render: (it) => rate(it.per_minute),
  },
  {
    id: "does",
    title: columns.does,
    render: (it) => (
      <ActionButton
        act={it.paused ? "queue.resume" : "queue.pause"}
        id={it.name}
        of={it.name}
        primary={it.paused}
      />
    ),
  },
];

export function QueuesPage() {
  const asked = useAsk("queues", operations.listQueues);
  return (
    <Page
      title={ops.pagesNamed.queues}
      asked={asked}
      above={<Notices place="queues" />}
    >
      {({ data }) => (
        <Table
          caption={ops.pagesNamed.queues}
          columns={QUEUES}
          rows={data}
          keyOf={(it) => it.name}
          empty={ops.queues.empty}
        />
      )}
    </Page>
  );
}
