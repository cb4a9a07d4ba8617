import { ops } from "../../shared/i18n/en.ops.ts";
import { listWorkers } from "../api.ts";
import { Page } from "../parts/Page.tsx";
import { useAsk } from "../questions.ts";
import { WorkersTable } from "./WorkersTable.tsx";

/** Processes of every kind: APIs and schedulers too. */
export function WorkersPage() {
  const asked = useAsk("workers", listWorkers);
  return (
    <Page title={ops.pagesNamed.workers} asked={asked}>
      {({ data }) => <WorkersTable rows={data} />}
    </Page>
  );
}
