/** Numbers, spans and ids in words. */
import { ops } from "../shared/i18n/en.ops.ts";

const LOCALE = "en";
const SPANS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
] as const;
const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

export const number = (value: number | null): string =>
  value === null ? ops.nothing : value.toLocaleString(LOCALE);

/** Of the size of the number: 0.04, 3.2, 412. */
export function rate(value: number | null): string {
  if (value === null) return ops.nothing;
  const digits = value === 0 || value >= 100 ? 0 : value >= 1 ? 1 : 2;
  return value.toLocaleString(LOCALE, { maximumFractionDigits: digits });
}

/** 38 ms, 1.2 s, 6 min, 3 h. */
export function span(seconds: number): string {
  for (const [size, unit] of SPANS)
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  if (seconds >= 10) return `${Math.floor(seconds)} s`;
  if (seconds >= 1) return `${Math.floor(seconds * 10) / 10} s`;
  return seconds <= 0 ? "0 s" : `${Math.max(1, Math.round(seconds * 1000))} ms`;
}

export const took = (ms: number | null): string =>
  ms === null ? ops.nothing : span(ms / 1000);

export function bytes(value: number): string {
  let size = value;
  let unit = 0;
  for (; size >= 1000 && unit < UNITS.length - 1; unit++) size /= 1000;
  const digits = size < 10 && unit > 0 ? 1 : 0;
  return `${size.toLocaleString(LOCALE, { maximumFractionDigits: digits })} ${UNITS[unit] ?? ""}`;
}

/** How long ago, in whole seconds and more; "now" within two. */
export function ago(then: number, now: number): string {
  const seconds = Math.floor((now - then) / 1000);
  return seconds < 2 ? ops.now : ops.ago(span(seconds));
}

/** Such as "in 4 s"; a due time that has passed is due now. */
export function ahead(then: number, now: number): string {
  const seconds = Math.ceil((then - now) / 1000);
  return seconds < 1 ? ops.now : ops.in(span(seconds));
}

/** The end of an id tells more: version 7 ids of one minute begin alike. */
export const short = (id: string): string => (id.length > 12 ? `…${id.slice(-8)}` : id);
