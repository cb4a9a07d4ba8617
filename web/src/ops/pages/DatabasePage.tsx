import { operations } from "@metacortex/client";
import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { Notices } from "../parts/Notices.tsx";
import { Page } from "../parts/Page.tsx";
import { When } from "../parts/When.tsx";
import { useAsk } from "../questions.ts";
import type { Database } from "../types.ts";
import { bytes, number, span } from "../words.ts";

const { columns, database } = ops;
const EVERY_MS = 10_000;

type TableSize = Database["tables"][number];
type Login = Database["connections"][number];
type Statement = NonNullable<Database["slow_statements"]>[number];

const TABLES: Column<TableSize>[] = [
  { id: "table", title: columns.table, render: (it) => <code>{it.table}</code> },
  { id: "bytes", title: columns.bytes, number: true, render: (it) => bytes(it.bytes) },
  {
    id: "indexes",
    title: columns.indexes,
    number: true,
    render: (it) => bytes(it.index_bytes),
  },
  { id: "rows", title: columns.rows, number: true, render: (it) => number(it.rows) },
  {
    id: "dead",
    title: columns.deadRows,
    number: true,
    render: (it) => number(it.dead_rows),
  },
  {
    id: "vacuumed",
    title: columns.vacuumed,
    render: (it) => (it.vacuumed_at ? <When at={it.vacuumed_at} /> : database.never),
  },
];

const LOGINS: Column<Login>[] = [
  { id: "login", title: columns.login, render: (it) => <code>{it.login}</code> },
  { id: "state", title: columns.state, render: (it) => it.state },
  {
    id: "count",
    title: columns.connections,
    number: true,
    render: (it) => number(it.count),
  },
];

const STATEMENTS: Column<Statement>[] = [
  {
    id: "statement",
    title: columns.statement,
    render: (it) => <code className="ops-wrap">{it.statement}</code>,
  },
  { id: "calls", title: columns.calls, number: true, render: (it) => number(it.calls) },
  {
    id: "mean",
    title: columns.mean,
    number: true,
    render: (it) => span(it.mean_ms / 1000),
  },
  {
    id: "total",
    title: columns.total,
    number: true,
    render: (it) => span(it.total_ms / 1000),
  },
];

/** How large, how busy, and what is slow. */
export function DatabasePage() {
  const asked = useAsk("database", operations.getDatabase, { every_ms: EVERY_MS });
  return (
    <Page
      title={ops.pagesNamed.database}
      asked={asked}
      above={<Notices place="database" />}
    >
      {({ data }) => <Whole of={data} />}
    </Page>
  );
}

function Whole({ of }: { of: Database }) {
  const used = of.connections.reduce((sum, it) => sum + it.count, 0);
  return (
    <>
      <p className="ops-summary">
        <strong>{bytes(of.bytes)}</strong>
        <span>
          {database.version} {of.version}
        </span>
        <span>{database.connections(used, of.max_connections)}</span>
      </p>
      <section className="ops-section" aria-labelledby="tables">
        <h2 id="tables">{database.tables}</h2>
        <Table
          caption={database.tables}
          columns={TABLES}
          rows={of.tables}
          keyOf={(it) => it.table}
          empty={database.empty}
        />
      </section>
      <section className="ops-section" aria-labelledby="logins">
        <h2 id="logins">{database.logins}</h2>
        <Table
          caption={database.logins}
          columns={LOGINS}
          rows={of.connections}
          keyOf={(it) => `${it.login} ${it.state}`}
          empty={database.empty}
        />
      </section>
      <section className="ops-section" aria-labelledby="statements">
        <h2 id="statements">{database.statements}</h2>
        <Table
          caption={database.statements}
          columns={STATEMENTS}
          rows={of.slow_statements ?? []}
          keyOf={(it) => it.statement}
          empty={of.slow_statements ? database.empty : database.noStatements}
        />
      </section>
    </>
  );
}
