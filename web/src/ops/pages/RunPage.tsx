import { ApiError, operations } from "@metacortex/client";
import type { ReactNode } from "react";
import { useParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { Page } from "../parts/Page.tsx";
import { Id, OutcomeChip, ProgressBar } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import { POLL_MS, useAsk } from "../questions.ts";
import type { RunStory } from "../types.ts";
import { took } from "../words.ts";
import { Failure, Text } from "./RunFailure.tsx";
import { RunActions, RunsTable } from "./RunsTable.tsx";
import { Story } from "./Story.tsx";

const { run: words } = ops;
const WORKING_MS = 500; // while it works: one watches its progress

/** One run: what it was, why it failed, and everything else of its correlation. */
export function RunPage() {
  const { id = "" } = useParams();
  const asked = useAsk("run", operations.getRun, {
    path: { id },
    every_ms: (answer) => (answer?.data.outcome === "running" ? WORKING_MS : POLL_MS),
  });
  const run = asked.data?.data;
  if (asked.error instanceof ApiError && [400, 404].includes(asked.error.status))
    return (
      <div className="page ops">
        <h1>{ops.pagesNamed.run}</h1>
        <p className="muted">{words.missing}</p>
      </div>
    );
  return (
    <Page
      title={run?.actor ?? ops.pagesNamed.run}
      asked={asked}
      extra={run?.open && <RunActions run={run} primary />}
    >
      {({ data }) => <Whole run={data} />}
    </Page>
  );
}

function Whole({ run }: { run: RunStory }) {
  return (
    <>
      <p className="ops-does">
        <OutcomeChip outcome={run.outcome} />
        {run.open && <span>{words.open}</span>}
        {run.progress && <ProgressBar {...run.progress} />}
      </p>
      {run.error && <Failure run={run} />}
      <Facts run={run} />
      <section className="ops-section" aria-labelledby="attempts">
        <h2 id="attempts">{words.attempts}</h2>
        <RunsTable caption={words.attempts} rows={run.attempts} empty={ops.nothing} />
      </section>
      <section className="ops-section" aria-labelledby="arguments">
        <h2 id="arguments">{words.arguments}</h2>
        <Text>{JSON.stringify(run.arguments, null, 2)}</Text>
      </section>
      <Story run={run} />
    </>
  );
}

function Facts({ run }: { run: RunStory }) {
  const { correlation_id, worker, workspace_id, retry_of } = run;
  return (
    <section className="ops-section" aria-labelledby="facts">
      <h2 id="facts">{words.facts}</h2>
      <dl className="ops-facts">
        <Fact name={words.id}>
          <code dir="ltr">{run.id}</code>
        </Fact>
        <Fact name={ops.columns.queue}>{run.queue}</Fact>
        <Fact name={words.enqueued}>
          <When at={run.enqueued_at} />
        </Fact>
        <Fact name={words.started}>
          <When at={run.started_at} />
        </Fact>
        <Fact name={words.finished}>
          <When at={run.finished_at} />
        </Fact>
        <Fact name={words.took}>{took(run.duration_ms)}</Fact>
        <Fact name={ops.columns.attempt}>
          {words.attempt(run.attempt, run.max_attempts)}
        </Fact>
        {run.next_attempt_at && (
          <Fact name={words.next}>
            <When at={run.next_attempt_at} as="ahead" />
          </Fact>
        )}
        <Fact name={words.worker}>
          <Id id={worker} to={`/ops/runs?worker=${worker}`} />
        </Fact>
        <Fact name={words.workspace}>
          <Id id={workspace_id} to={`/ops/projections?workspace_id=${workspace_id}`} />
        </Fact>
        <Fact name={words.correlation}>
          <Id id={correlation_id} to={`/ops/runs?correlation_id=${correlation_id}`} />
        </Fact>
        <Fact name={words.command}>
          <Id id={run.command_id} />
        </Fact>
        {retry_of && (
          <Fact name={words.retryOf}>
            <Id id={retry_of} to={`/ops/runs/${retry_of}`} />
          </Fact>
        )}
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
