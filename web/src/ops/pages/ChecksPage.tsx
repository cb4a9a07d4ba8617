import { operations } from "@metacortex/client";
import { ops } from "../../shared/i18n/en.ops.ts";
import { type Column, Table } from "../../shared/ui/Table.tsx";
import { Notices } from "../parts/Notices.tsx";
import { Page } from "../parts/Page.tsx";
import { Chip } from "../parts/small.tsx";
import { Worded } from "../parts/Worded.tsx";
import { useAsk } from "../questions.ts";
import type { Check } from "../types.ts";

const { columns } = ops;
const EVERY_MS = 30_000; // they are thorough: a second or two of the server's time
const WRONG_MS = 5_000; // while something is wrong: the server keeps them for 10 s
const TONES = {
  ok: "good",
  warning: "warn",
  failing: "late",
  skipped: "plain",
} as const;
const WORST = ["failing", "warning", "ok", "skipped"];

const COLUMNS: Column<Check>[] = [
  { id: "check", title: columns.check, render: (it) => it.check },
  {
    id: "state",
    title: columns.state,
    render: (it) => <Chip tone={TONES[it.status]}>{ops.checks.status[it.status]}</Chip>,
  },
  {
    id: "detail",
    title: columns.detail,
    render: (it) => (
      <span className="ops-wrap">
        <Worded>{it.detail}</Worded>
      </span>
    ),
  },
  {
    id: "remedy",
    title: columns.remedy,
    render: (it) => (
      <span className="ops-wrap">
        <Worded>{it.remedy ?? ops.nothing}</Worded>
      </span>
    ),
  },
];

const worstFirst = (rows: readonly Check[]): Check[] =>
  [...rows].sort((a, b) => WORST.indexOf(a.status) - WORST.indexOf(b.status));

const soon = (answer?: { data: readonly Check[] }): number =>
  answer?.data.some((it) => it.status === "failing" || it.status === "warning")
    ? WRONG_MS
    : EVERY_MS;

/** What `metacortex doctor` finds, the worst first. */
export function ChecksPage() {
  const asked = useAsk("checks", operations.listChecks, { every_ms: soon });
  return (
    <Page
      title={ops.pagesNamed.checks}
      asked={asked}
      above={<Notices place="checks" />}
    >
      {({ data }) => (
        <Table
          caption={ops.pagesNamed.checks}
          columns={COLUMNS}
          rows={worstFirst(data)}
          keyOf={(it) => it.check}
          empty={ops.checks.empty}
        />
      )}
    </Page>
  );
}
