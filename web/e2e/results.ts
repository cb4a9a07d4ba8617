/** Figures of the app as the last section of bench/RESULTS.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";

const RESULTS = join(import.meta.dirname, "../../bench/RESULTS.md");
const HEADING = "## The web app"; // bench/results.py keeps what follows it

export interface Figure {
  what: string;
  unit: string;
  /** What the median may be at most; without it the line informs and has no verdict. */
  most?: number;
  values: readonly number[];
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

const shown = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);

function line({ what, unit, most, values }: Figure): string {
  const median = quantile(values, 0.5);
  const verdict = most === undefined ? "" : median <= most ? "met" : "**missed**";
  const target = most === undefined ? "" : `≤ ${most.toLocaleString("en")}`;
  const p95 = values.length > 1 ? shown(quantile(values, 0.95)) : "";
  const cells = [
    what,
    unit,
    target,
    shown(median),
    p95,
    String(values.length),
    verdict,
  ];
  return `| ${cells.join(" | ")} |`;
}

export function section(figures: readonly Figure[], chromium: string): string {
  return [
    HEADING,
    "",
    "Written by `make bench-web`; do not edit. The app as committed, served by the API, in " +
      `Debian's Chromium ${chromium}, headless, on the machine above, which serves as well, ` +
      `with a load of ${(loadavg()[1] ?? 0).toFixed(1)} in the five minutes before the end. ` +
      "`web/e2e/figures.bench.ts` says what each line does.",
    "",
    "| what | unit | target | median | p95 | n | verdict |",
    "|---|---|---|---:|---:|---:|---|",
    ...figures.map(line),
    "",
  ].join("\n");
}

export function write(text: string): void {
  const old = readFileSync(RESULTS, "utf8");
  const at = old.indexOf(`\n${HEADING}\n`);
  const rest = (at < 0 ? old : old.slice(0, at)).trimEnd();
  writeFileSync(RESULTS, `${rest}\n\n${text}`);
}
