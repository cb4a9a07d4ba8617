import { operations } from "@metacortex/client";
import { ops } from "../../shared/i18n/en.ops.ts";
import { Notices } from "../parts/Notices.tsx";
import { Page } from "../parts/Page.tsx";
import { useAsk } from "../questions.ts";
import type { Process } from "../types.ts";
import { WorkersTable } from "./WorkersTable.tsx";

const WORST = ["stalled", "alive", "gone"];

const worstFirst = (rows: readonly Process[]): Process[] =>
  [...rows].sort((a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state));

/** Processes of every kind: APIs and schedulers too. */
export function WorkersPage() {
  const asked = useAsk("workers", operations.listWorkers);
  return (
    <Page
      title={ops.pagesNamed.workers}
      asked={asked}
      above={<Notices place="workers" />}
    >
      {({ data }) => <WorkersTable rows={worstFirst(data)} />}
    </Page>
  );
}
