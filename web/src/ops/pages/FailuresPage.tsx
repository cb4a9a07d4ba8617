import { operations } from "@metacortex/client";
import { Link, useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { ActionButton } from "../parts/ActionButton.tsx";
import { Notices } from "../parts/Notices.tsx";
import { Page } from "../parts/Page.tsx";
import { Pages, Switch } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import { useAsk } from "../questions.ts";
import type { FailureGroup } from "../types.ts";
import { number } from "../words.ts";

const { columns, failures } = ops;

const COLUMNS: Column<FailureGroup>[] = [
  {
    id: "cause",
    title: columns.error,
    render: (it) => (
      <Link className="ops-cause" to={`/ops/runs/${it.sample_run_id}`}>
        <strong>
          {it.actor}: {it.error_type}
        </strong>
        <span className="muted">{it.message}</span>
      </Link>
    ),
  },
  { id: "open", title: columns.open, number: true, render: (it) => number(it.open) },
  {
    id: "count",
    title: columns.count,
    number: true,
    render: (it) => (
      <Link className="ops-link" to={`/ops/runs?fingerprint=${it.fingerprint}`}>
        {number(it.count)}
      </Link>
    ),
  },
  { id: "first", title: columns.first, render: (it) => <When at={it.first_at} /> },
  { id: "last", title: columns.last, render: (it) => <When at={it.last_at} /> },
  { id: "does", title: columns.does, render: (it) => <Does group={it} /> },
];

function Does({ group: { open, actor, fingerprint } }: { group: FailureGroup }) {
  if (open === 0) return null;
  const of = ops.groups(open, actor);
  return (
    <span className="ops-does">
      <ActionButton act="failures.retry" id={fingerprint} of={of} primary />
      <ActionButton act="failures.discard" id={fingerprint} of={of} />
    </span>
  );
}

/** What failed alike stands together; a cause is mended once. */
export function FailuresPage() {
  const [params] = useSearchParams();
  const open = params.get("show") === "open";
  const cursor = params.get("cursor");
  const asked = useAsk("failures", operations.listFailures, {
    query: { ...(open && { open }), ...(cursor && { cursor }) },
  });
  return (
    <Page
      title={ops.pagesNamed.failures}
      asked={asked}
      above={<Notices place="failures" />}
      extra={
        <Switch name="show" value="open" on={failures.open} off={failures.everything} />
      }
    >
      {({ data, meta }) => (
        <>
          <Table
            caption={ops.pagesNamed.failures}
            columns={COLUMNS}
            rows={data}
            keyOf={(it) => it.fingerprint}
            empty={open ? failures.noneOpen : failures.empty}
          />
          <Pages next={meta.next_cursor} />
        </>
      )}
    </Page>
  );
}
