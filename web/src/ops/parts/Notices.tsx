import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { causeOf, type Place } from "../causes.ts";
import { useOverview } from "../questions.ts";
import { Prose } from "../runbook/Prose.tsx";
import { sectionAt } from "../runbook/sections.ts";
import type { Reason } from "../types.ts";
import { When } from "./When.tsx";

const WIDE = "(min-width: 721px)"; // elsewhere it would hide what it is about

/** Why the verdict is not healthy, as far as a page is about it, and what to do. */
export function Notices({ place }: { place: Place }) {
  const { data } = useOverview();
  return data?.reasons
    .filter((it) => causeOf(it.code).place === place)
    .map((it) => <Notice key={it.code} reason={it} />);
}

function Notice({ reason }: { reason: Reason }) {
  const section = sectionAt(reason.link);
  return (
    <section className={`ops-verdict ${reason.severity}`} aria-label={reason.title}>
      <h2>{reason.title}</h2>
      <p>
        {reason.detail}
        <span className="muted small">
          {" · "}
          {ops.verdict.sinceNotice} <When at={reason.since} />
        </span>
      </p>
      {section && (
        <details open={matchMedia(WIDE).matches}>
          <summary>{ops.verdict.toDo}</summary>
          <Prose html={section.html} />
        </details>
      )}
      <Link className="ops-link small" to={reason.link}>
        {ops.verdict.wholeRunbook}
      </Link>
    </section>
  );
}
