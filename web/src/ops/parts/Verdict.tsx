import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { localZone } from "../../shared/time/days.ts";
import { instantWords } from "../../shared/time/words.ts";
import { causeOf } from "../causes.ts";
import type { Overview, Reason } from "../types.ts";
import { span } from "../words.ts";
import { useNow } from "./now.ts";
import { Chip } from "./small.tsx";

const first = (reasons: readonly Reason[]): Reason | undefined =>
  [...reasons].sort((a, b) => Date.parse(a.since) - Date.parse(b.since))[0];

export function headline({ verdict, reasons }: Overview): string {
  const [why, ...others] = reasons;
  if (!why) return `${ops.verdict[verdict]}: ${ops.verdict.nothingWrong}`;
  const more = others.length > 0 ? ops.verdict.more(others.length) : "";
  return `${ops.verdict[verdict]}: ${why.title}${more}`;
}

/** Whether the system is well, in words, and why not: each reason beside its remedy. */
export function Verdict({ overview }: { overview: Overview }) {
  const { verdict, reasons } = overview;
  return (
    <section className={`ops-verdict ${verdict}`} aria-labelledby="verdict">
      <h2 id="verdict">{headline(overview)}</h2>
      <span className="hidden" role="status">
        {headline(overview)}
      </span>
      <p className="muted">
        <Since reasons={reasons} /> {ops.verdict.meaning[verdict]}
      </p>
      {reasons.length > 0 && (
        <ul aria-label={ops.verdict.reasons}>
          {reasons.map((it) => (
            <ReasonRow key={it.code} reason={it} />
          ))}
        </ul>
      )}
    </section>
  );
}

/** The API has not answered for a while: then nothing is known, least of all health. */
export function NoVerdict() {
  return (
    <section className="ops-verdict failing" role="alert">
      <h2>{ops.verdict.unknown}</h2>
      <p className="muted">{ops.live.lost}</p>
    </section>
  );
}

function Since({ reasons }: { reasons: readonly Reason[] }) {
  const now = useNow();
  const oldest = first(reasons);
  if (!oldest) return null;
  const seconds = Math.max(0, Math.floor((now - Date.parse(oldest.since)) / 1000));
  const at = instantWords(oldest.since, localZone(), new Date(now));
  return ops.verdict.since(at, span(seconds));
}

function ReasonRow({ reason }: { reason: Reason }) {
  const { to, label } = causeOf(reason.code);
  return (
    <li className="ops-reason">
      <Chip tone={reason.severity === "failing" ? "late" : "warn"}>{reason.code}</Chip>
      <span className="ops-detail">
        {reason.title}: {reason.detail}
        <Link className="ops-link small" to={reason.link}>
          {ops.verdict.runbook}
        </Link>
      </span>
      <Link className="button" to={to}>
        {label}
      </Link>
    </li>
  );
}
