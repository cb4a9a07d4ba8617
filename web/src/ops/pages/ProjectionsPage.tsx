import { operations } from "@metacortex/client";
import { useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { Notices } from "../parts/Notices.tsx";
import { Page } from "../parts/Page.tsx";
import { PausedQueue } from "../parts/PausedQueue.tsx";
import { Pages, Switch } from "../parts/small.tsx";
import { POLL_MS, useAsk } from "../questions.ts";
import { Parked } from "./Parked.tsx";
import { ProjectionsTable } from "./ProjectionsTable.tsx";

const PROJECTIONS = "projections"; // the queue of wake-ups
const WORKING_MS = 500; // while something is rebuilt: one watches it
const CARDS = 5; // of the parked ones; the rest stand in the table

/** Parked ones first, each with its error and its remedy; then all, the worst first. */
export function ProjectionsPage() {
  const [params] = useSearchParams();
  const workspace_id = params.get("workspace_id");
  const cursor = params.get("cursor");
  const behind = params.get("show") === "behind";
  const asked = useAsk("projections", operations.listProjections, {
    query: {
      ...(workspace_id && { workspace_id }),
      ...(cursor && { cursor }),
      ...(behind && { behind: true }),
    },
    every_ms: (answer) =>
      answer?.data.some((it) => it.rebuilding) ? WORKING_MS : POLL_MS,
  });
  const { projections } = ops;
  return (
    <Page
      title={ops.pagesNamed.projections}
      asked={asked}
      above={<PausedQueue name={PROJECTIONS} means={projections.paused} />}
      extra={
        <Switch
          name="show"
          value="behind"
          on={projections.behindOnly}
          off={projections.everything}
        />
      }
    >
      {({ data, meta }) => (
        <>
          {data.slice(0, CARDS).map((it) => (
            <Parked key={it.workspace_id} of={it} />
          ))}
          <Notices place="projections" />
          <ProjectionsTable
            rows={data}
            empty={behind ? projections.noneBehind : projections.empty}
          />
          <Pages next={meta.next_cursor} />
        </>
      )}
    </Page>
  );
}
