/** How much time the charts show. */
import type { Series } from "../types.ts";

const MINUTE_S = 60;
export const RANGES = {
  "15m": 15 * MINUTE_S,
  "1h": 60 * MINUTE_S,
  "6h": 360 * MINUTE_S,
  "24h": 1_440 * MINUTE_S,
  "30d": 43_200 * MINUTE_S,
} as const;

export type Range = keyof typeof RANGES;

const FINE_S = 10; // samples are taken so often, and kept so for a day
const COARSE_S = 300; // after which one in five minutes stays
const POINTS = 180; // as wide as a chart is on a narrow page, in pixels

export const rangeOf = (address: string | null): Range =>
  address !== null && Object.hasOwn(RANGES, address) ? (address as Range) : "1h";

/** The step in which the API has samples for all of the time. */
export function stepOf(range: Range): number {
  const kept = RANGES[range] > RANGES["24h"] ? COARSE_S : FINE_S;
  return Math.max(1, Math.ceil(RANGES[range] / POINTS / kept)) * kept;
}

/** Whole steps, so that a question is the same until the next one begins. */
export function spanOf(range: Range, now: number): { from: string; to: string } {
  const step_ms = stepOf(range) * 1000;
  const to = Math.floor(now / step_ms) * step_ms;
  const from = to - RANGES[range] * 1000;
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

export interface Drawn {
  at: number[];
  values: (number | null)[];
  highest: number | null;
}

/** As the chart takes it: seconds of the epoch, and gaps where nothing was measured. */
export function drawn({ points }: Series): Drawn {
  const values = points.map((it) => it.value);
  const known = values.filter((it) => it !== null);
  return {
    at: points.map((it) => Date.parse(it.at) / 1000),
    values,
    highest: known.length > 0 ? Math.max(...known) : null,
  };
}
