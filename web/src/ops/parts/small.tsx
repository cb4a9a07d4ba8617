import type { ReactNode } from "react";
import { Link, useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import type { Outcome, Progress as Done } from "../types.ts";
import { number, short } from "../words.ts";

type Tone = "good" | "warn" | "late" | "plain";

const TONES: Record<Outcome, Tone> = {
  queued: "plain",
  running: "plain",
  succeeded: "good",
  retrying: "warn",
  crashed: "late",
  failed: "late",
  discarded: "plain",
};

export function Chip({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={`chip ${tone}`}>{children}</span>;
}

export function OutcomeChip({ outcome }: { outcome: Outcome }) {
  return <Chip tone={TONES[outcome]}>{ops.outcomes[outcome]}</Chip>;
}

/** An id, shortened; whole where one points, and when it is copied from its page. */
export function Id({ id, to }: { id: string | null; to?: string }) {
  if (id === null) return <span className="muted">{ops.nothing}</span>;
  const shown = (
    <code title={id} dir="ltr">
      {short(id)}
    </code>
  );
  return to ? (
    <Link className="ops-link" to={to}>
      {shown}
    </Link>
  ) : (
    shown
  );
}

export function ProgressBar({ done, total }: Done) {
  const words = ops.run.progress(number(done), number(total));
  return (
    <span className="ops-progress">
      <progress aria-label={words} value={done} max={Math.max(1, total)} />
      <span className="small number">{words}</span>
    </span>
  );
}

/** The way to what is older; the place in the list stands in the address. */
export function Pages({ next }: { next: string | null }) {
  const [params] = useSearchParams();
  const at = (cursor: string | null) => {
    const there = new URLSearchParams(params);
    there.delete("cursor");
    if (cursor) there.set("cursor", cursor);
    return `?${there.toString()}`;
  };
  if (next === null && !params.get("cursor")) return null;
  return (
    <nav className="ops-pages" aria-label={ops.pages}>
      {params.get("cursor") && (
        <Link className="button" to={at(null)}>
          {ops.newest}
        </Link>
      )}
      {next !== null && (
        <Link className="button" to={at(next)}>
          {ops.older}
        </Link>
      )}
    </nav>
  );
}

interface SwitchProps {
  /** The parameter of the address, and what it says when the first one is chosen. */
  name: string;
  value: string;
  on: string;
  off: string;
}

/** Two views of a list; the address says which. */
export function Switch({ name, value, on, off }: SwitchProps) {
  const [params, setParams] = useSearchParams();
  const chosen = params.get(name) === value;
  const choose = (next: boolean) =>
    setParams((old) => {
      old.delete("cursor");
      if (next) old.set(name, value);
      else old.delete(name);
      return old;
    });
  return (
    <div className="ops-switch" role="group" aria-label={ops.shown}>
      <button className="button" aria-pressed={chosen} onClick={() => choose(true)}>
        {on}
      </button>
      <button className="button" aria-pressed={!chosen} onClick={() => choose(false)}>
        {off}
      </button>
    </div>
  );
}
