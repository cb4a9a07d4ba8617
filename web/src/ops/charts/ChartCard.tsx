import { operations } from "@metacortex/client";
import { useMemo, useState } from "react";
import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { localZone } from "../../shared/time/days.ts";
import { instantWords } from "../../shared/time/words.ts";
import { useAsk } from "../questions.ts";
import { useNow } from "../parts/now.ts";
import type { MetricName } from "../types.ts";
import { Line, type Tone } from "./Line.tsx";
import { drawn, type Drawn, type Range, spanOf, stepOf } from "./ranges.ts";

interface Props {
  metric: MetricName;
  name: string;
  range: Range;
  /** What it is now, and in which unit. */
  value: string;
  unit: string;
  tone: Tone;
  to: string;
  words: (value: number) => string;
}

const NONE: Drawn = { at: [], values: [], highest: null };
const SLOW_MS = 60_000; // the question itself changes with each step

/** A number, and how it came about. */
export function ChartCard({
  metric,
  name,
  range,
  value,
  unit,
  tone,
  to,
  words,
}: Props) {
  const now = useNow();
  const { from, to: until } = spanOf(range, now);
  const asked = useAsk("series", operations.getSeries, {
    query: { metric, from, to: until, step: stepOf(range) },
    every_ms: SLOW_MS,
  });
  const series = asked.data?.data;
  const data = useMemo(() => (series ? drawn(series) : NONE), [series]);
  const [point, setPoint] = useState<number | null>(null);
  const highest = data.highest === null ? null : words(data.highest);
  return (
    <article className="ops-card">
      <h3>
        <Link to={to}>{name}</Link>
      </h3>
      <p className="ops-figure">
        <bdi>
          <strong className="number">{value}</strong> <span>{unit}</span>
        </bdi>
      </p>
      <Line
        data={data}
        tone={tone}
        onPoint={setPoint}
        label={ops.charts.label(
          name,
          `${value} ${unit}`,
          highest ?? ops.unknown,
          ops.charts.ranges[range],
        )}
      />
      <p className="ops-note">
        {pointed(data, point, words, now) ??
          (highest === null ? ops.charts.empty : ops.charts.highest(highest))}
      </p>
    </article>
  );
}

function pointed(
  data: Drawn,
  point: number | null,
  words: Props["words"],
  now: number,
): string | null {
  const value = point === null ? null : data.values[point];
  const at = point === null ? undefined : data.at[point];
  if (value === null || value === undefined || at === undefined) return null;
  const instant = new Date(at * 1000).toISOString();
  return ops.charts.at(words(value), instantWords(instant, localZone(), new Date(now)));
}
