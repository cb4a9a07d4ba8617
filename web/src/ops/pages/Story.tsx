import type { ReactNode } from "react";

import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { Chip, Id } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import type { CommandTrace, EventTrace, ProjectionTrace, RunStory } from "../types.ts";
import { number } from "../words.ts";
import { ActionsTable } from "./ActionsTable.tsx";
import { RunsTable } from "./RunsTable.tsx";

const { columns, run: words } = ops;

const COMMANDS: Column<CommandTrace>[] = [
  { id: "type", title: columns.type, render: (it) => it.type },
  {
    id: "outcome",
    title: columns.outcome,
    render: (it) => (
      <Chip tone={it.outcome === "refused" ? "warn" : "plain"}>
        {it.error_code ?? it.outcome}
      </Chip>
    ),
  },
  { id: "at", title: columns.at, render: (it) => <When at={it.recorded_at} /> },
  {
    id: "first",
    title: columns.first,
    number: true,
    render: (it) => number(it.first_sequence),
  },
  {
    id: "last",
    title: columns.last,
    number: true,
    render: (it) => number(it.last_sequence),
  },
  { id: "id", title: words.command, render: (it) => <Id id={it.command_id} /> },
];

const EVENTS: Column<EventTrace>[] = [
  {
    id: "sequence",
    title: columns.sequence,
    number: true,
    render: (it) => number(it.sequence),
  },
  { id: "type", title: columns.type, render: (it) => it.type },
  { id: "at", title: columns.at, render: (it) => <When at={it.recorded_at} /> },
  {
    id: "workspace",
    title: columns.workspace,
    render: (it) => <Id id={it.workspace_id} />,
  },
];

const PROJECTIONS: Column<ProjectionTrace>[] = [
  {
    id: "workspace",
    title: columns.workspace,
    render: (it) => (
      <Id
        id={it.workspace_id}
        to={`/ops/projections?workspace_id=${it.workspace_id}`}
      />
    ),
  },
  {
    id: "behind",
    title: columns.behind,
    number: true,
    render: (it) => number(it.behind),
  },
  {
    id: "shows",
    title: columns.shows,
    render: (it) => (
      <Chip tone={it.shows_events ? "good" : "warn"}>
        {it.shows_events ? ops.yes : ops.projections.behind}
      </Chip>
    ),
  },
];

/** What came before and after: command, events, read tables, other runs, operators. */
export function Story({ run }: { run: RunStory }) {
  const { commands, events, projections, related, actions } = run;
  const lengths = [commands, events, projections, related, actions];
  return (
    <section className="ops-section" aria-labelledby="story">
      <h2 id="story">{words.story}</h2>
      {lengths.every((it) => it.length === 0) && (
        <p className="muted">{words.noStory}</p>
      )}
      <Part name={words.commands} rows={commands}>
        <Table
          caption={words.commands}
          columns={COMMANDS}
          rows={commands}
          keyOf={(it) => it.command_id}
          empty={null}
        />
      </Part>
      <Part name={words.events} rows={events}>
        <Table
          caption={words.events}
          columns={EVENTS}
          rows={events}
          keyOf={(it) => it.event_id}
          empty={null}
        />
      </Part>
      <Part name={words.projections} rows={projections}>
        <Table
          caption={words.projections}
          columns={PROJECTIONS}
          rows={projections}
          keyOf={(it) => it.workspace_id}
          empty={null}
        />
      </Part>
      <Part name={words.related} rows={related}>
        <RunsTable caption={words.related} rows={related} empty="" />
      </Part>
      <Part name={words.actions} rows={actions}>
        <ActionsTable caption={words.actions} rows={actions} empty="" />
      </Part>
    </section>
  );
}

function Part(props: { name: string; rows: readonly unknown[]; children: ReactNode }) {
  if (props.rows.length === 0) return null;
  return (
    <>
      <h3>{props.name}</h3>
      {props.children}
    </>
  );
}
