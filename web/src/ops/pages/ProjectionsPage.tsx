import { operations } from "@metacortex/client";
import { useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { ActionButton } from "../parts/ActionButton.tsx";
import { Page } from "../parts/Page.tsx";
import { Id, Pages, Switch } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import { useAsk } from "../questions.ts";
import type { Projection } from "../types.ts";
import { short } from "../words.ts";
import { ProjectionsTable } from "./ProjectionsTable.tsx";

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
  });
  const { projections } = ops;
  return (
    <Page
      title={ops.pagesNamed.projections}
      asked={asked}
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
          {data.map((it) => it.parked && <Parked key={it.workspace_id} of={it} />)}
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

function Parked({ of: { workspace_id, parked } }: { of: Projection }) {
  if (!parked) return null;
  const name = short(workspace_id);
  return (
    <section className="ops-verdict failing" aria-label={name}>
      <h2>
        <Id id={workspace_id} />{" "}
        {ops.projections.parked(parked.sequence.toLocaleString("en"))}
      </h2>
      <pre className="ops-pre" dir="ltr">
        {parked.error}
      </pre>
      <p className="muted">
        <When at={parked.since} />. {ops.projections.parkedRemedy}
      </p>
      <p className="ops-does">
        <ActionButton act="projection.retry" id={workspace_id} of={name} primary />
        <ActionButton act="projection.rebuild" id={workspace_id} of={name} />
      </p>
    </section>
  );
}
