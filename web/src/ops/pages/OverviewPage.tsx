import { operations } from "@metacortex/client";
import { useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { Charts } from "../charts/Charts.tsx";
import { type Range, rangeOf, RANGES } from "../charts/ranges.ts";
import { Changes } from "../parts/Changes.tsx";
import { useNow } from "../parts/now.ts";
import { Page } from "../parts/Page.tsx";
import { NoVerdict, Verdict } from "../parts/Verdict.tsx";
import { useAsk, useOverview } from "../questions.ts";
import { ProjectionsTable } from "./ProjectionsTable.tsx";
import { WorkersTable } from "./WorkersTable.tsx";

const OLD_MS = 8_000; // four polls without an answer
const WORST = { per_page: 6 };

/** One look: is it healthy, why not, how much, and what changed. */
export function OverviewPage() {
  const [params] = useSearchParams();
  const range = rangeOf(params.get("range"));
  const asked = useOverview();
  return (
    <Page
      title={ops.pagesNamed.overview}
      asked={asked}
      extra={<RangeChoice range={range} />}
      above={<LostNotice at={asked.dataUpdatedAt} failed={asked.isError} />}
    >
      {(overview) => (
        <>
          {!asked.isError && <Verdict overview={overview} />}
          <Charts overview={overview} range={range} />
          <div className="ops-pair">
            <Worst />
            <Changes />
          </div>
          <Processes />
        </>
      )}
    </Page>
  );
}

function LostNotice({ at, failed }: { at: number; failed: boolean }) {
  const old = useNow() - at > OLD_MS && at > 0;
  return failed || old ? <NoVerdict /> : null;
}

function RangeChoice({ range }: { range: Range }) {
  const [, setParams] = useSearchParams();
  return (
    <select
      className="input ops-range"
      aria-label={ops.charts.range}
      value={range}
      onChange={(event) => setParams({ range: event.target.value }, { replace: true })}
    >
      {(Object.keys(RANGES) as Range[]).map((it) => (
        <option key={it} value={it}>
          {ops.charts.ranges[it]}
        </option>
      ))}
    </select>
  );
}

function Worst() {
  const { data } = useAsk("projections", operations.listProjections, { query: WORST });
  return (
    <section aria-labelledby="worst">
      <h2 id="worst">{ops.projections.title}</h2>
      {data && (
        <ProjectionsTable rows={data.data} empty={ops.projections.empty} brief />
      )}
    </section>
  );
}

function Processes() {
  const { data } = useAsk("workers", operations.listWorkers);
  return (
    <section className="ops-section" aria-labelledby="processes">
      <h2 id="processes">{ops.pagesNamed.workers}</h2>
      {data && <WorkersTable rows={data.data} brief />}
    </section>
  );
}
