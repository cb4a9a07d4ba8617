import { operations } from "@metacortex/client";
import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { ActionButton } from "../parts/ActionButton.tsx";
import { Page } from "../parts/Page.tsx";
import { Chip } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import { useAsk } from "../questions.ts";
import type { Schedule } from "../types.ts";
import { span } from "../words.ts";

const { columns } = ops;

const SCHEDULES: Column<Schedule>[] = [
  {
    id: "name",
    title: columns.name,
    render: (it) => (
      <Link className="ops-link" to={`/ops/runs?actor=${encodeURIComponent(it.actor)}`}>
        {it.name}
      </Link>
    ),
  },
  {
    id: "cron",
    title: columns.cron,
    render: (it) =>
      it.cron === null ? (
        ops.schedules.every(span(it.interval_s ?? 0))
      ) : (
        <span>
          <code dir="ltr">{it.cron}</code> {it.time_zone}
        </span>
      ),
  },
  {
    id: "state",
    title: columns.state,
    render: (it) =>
      it.paused ? (
        <Chip tone="warn">{ops.schedules.paused}</Chip>
      ) : (
        <span className="muted">{ops.schedules.on}</span>
      ),
  },
  {
    id: "last",
    title: columns.last,
    render: (it) => <When at={it.last_run} as="ago" />,
  },
  {
    id: "next",
    title: columns.next,
    render: (it) => <When at={it.next_at} as="ahead" />,
  },
  {
    id: "missed",
    title: columns.missed,
    render: (it) => ops.schedules.missed[it.missed],
  },
  {
    id: "does",
    title: columns.does,
    render: (it) => (
      <span className="ops-does">
        <ActionButton act="schedule.run" id={it.name} of={it.name} />
        <ActionButton
          act={it.paused ? "schedule.resume" : "schedule.pause"}
          id={it.name}
          of={it.name}
          primary={it.paused}
        />
      </span>
    ),
  },
];

export function SchedulesPage() {
  const asked = useAsk("schedules", operations.listSchedules);
  return (
    <Page title={ops.pagesNamed.schedules} asked={asked}>
      {({ data }) => (
        <Table
          caption={ops.pagesNamed.schedules}
          columns={SCHEDULES}
          rows={data}
          keyOf={(it) => it.name}
          empty={ops.schedules.empty}
        />
      )}
    </Page>
  );
}
