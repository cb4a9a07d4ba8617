import { NavLink } from "react-router";

import { ops } from "../shared/i18n/en.ops.ts";
import { OpsIcon, type OpsIconName } from "./OpsIcon.tsx";
import { useOverview } from "./questions.ts";
import type { Overview } from "./types.ts";

const LINKS: [name: OpsIconName, count?: (it: Overview) => number | undefined][] = [
  ["overview"],
  ["runs"],
  ["failures", (it) => it.failures?.open],
  ["schedules"],
  ["queues", (it) => it.queues.ready ?? undefined],
  ["workers", (it) => it.workers?.alive],
  ["projections", (it) => it.lag?.behind],
  ["checks"],
  ["database"],
  ["actions"],
  ["runbook"],
];
const NARROW: OpsIconName[] = ["overview", "runs", "failures", "projections"];

const pathOf = (name: OpsIconName) => (name === "overview" ? "/ops" : `/ops/${name}`);

/** The pages, each with what waits there. */
export function OpsNavigation() {
  const { data } = useOverview();
  return (
    <nav aria-label={ops.navigation}>
      {LINKS.map(([name, count]) => {
        const n = data && count?.(data);
        return (
          <NavLink
            key={name}
            className="nav-link"
            to={pathOf(name)}
            end={name === "overview"}
          >
            <OpsIcon name={name} />
            <span className="nav-name">{ops.pagesNamed[name]}</span>
            {n ? <span className="number">{n.toLocaleString()}</span> : null}
          </NavLink>
        );
      })}
    </nav>
  );
}

/** The bar at the bottom of narrow pages. */
export function OpsBottom() {
  return NARROW.map((name) => (
    <NavLink
      key={name}
      className="bottom-link"
      to={pathOf(name)}
      end={name === "overview"}
      aria-label={ops.pagesNamed[name]}
    >
      <OpsIcon name={name} size={20} />
    </NavLink>
  ));
}

/** Whether what one sees is live. */
export function OpsStatus({ live }: { live: boolean }) {
  const { isError } = useOverview();
  const state = isError ? "offline" : live ? "live" : "polling";
  return (
    <span className={`connection ${state}`} role="status">
      {ops.live[state]}
    </span>
  );
}
