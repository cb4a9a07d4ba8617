import { ops } from "../../shared/i18n/en.ops.ts";
import type { Overview } from "../types.ts";
import { number, rate, span } from "../words.ts";
import { ChartCard } from "./ChartCard.tsx";
import type { Range } from "./ranges.ts";

const LATE_S = 10; // beyond which the verdict calls it lag

/** 38 and ms. */
function parts(seconds: number | undefined): [value: string, unit: string] {
  if (seconds === undefined) return [ops.nothing, ""];
  const [value = "", unit = ""] = span(seconds).split(" ");
  return [value, unit];
}

/** What goes in, what comes out, how late, and what failed. */
export function Charts({ overview, range }: { overview: Overview; range: Range }) {
  const { now, lag, failures } = overview;
  const { charts } = ops;
  const perSecond = (value: number) => `${rate(value)} ${charts.perSecond}`;
  const [late, unit] = parts(lag?.oldest_s);
  return (
    <section className="ops-cards" aria-label={charts.title}>
      <ChartCard
        metric="commands"
        name={charts.commands}
        range={range}
        value={rate(now.commands_per_s)}
        unit={charts.perSecond}
        tone="accent"
        to="/ops/queues"
        words={perSecond}
      />
      <ChartCard
        metric="events"
        name={charts.events}
        range={range}
        value={rate(now.events_per_s)}
        unit={charts.perSecond}
        tone="accent"
        to="/ops/projections"
        words={perSecond}
      />
      <ChartCard
        metric="lag_s"
        name={charts.lag}
        range={range}
        value={late}
        unit={unit}
        tone={lag && lag.oldest_s > LATE_S ? "warn" : "accent"}
        to="/ops/projections"
        words={span}
      />
      <ChartCard
        metric="failures"
        name={charts.failures}
        range={range}
        value={number(failures?.open ?? null)}
        unit={charts.open}
        tone={failures && failures.open > 0 ? "bad" : "accent"}
        to="/ops/failures"
        words={perSecond}
      />
    </section>
  );
}
