/** Looks at a page at three widths and in both themes, and lets axe look at it too. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { Page } from "playwright-core";

const PICTURES = join(import.meta.dirname, "pictures");
const AXE = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

/** What axe finds that is serious. It is injected past the page's policy, by the debugger. */
export async function serious(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run: () => Promise<{ violations: Violation[] }> };
    };
    return (await axe.run()).violations;
  });
  return found
    .filter((it) => it.impact === "serious" || it.impact === "critical")
    .map(
      (it) =>
        `${it.id}: ${it.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`,
    );
}

/** Two frames on, with all that moves at its end. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame();
    await frame();
    const moving = document
      .getAnimations()
      .filter((it) => it.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(moving.map((it) => it.finished));
  });
}

const WIDTHS = [360, 800, 1440];
const THEMES = ["light", "dark"] as const;

/** Leaves pictures; returns what is wrong: too wide, or serious in the eyes of axe. */
export async function look(page: Page, name: string): Promise<string[]> {
  const problems: string[] = [];
  mkdirSync(PICTURES, { recursive: true });
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width === 360 ? 720 : 900 });
      await settled(page);
      await page.screenshot({ path: join(PICTURES, `${name}-${width}-${theme}.png`) });
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      if (wide > 0) problems.push(`${name} at ${width} px is ${wide} px too wide`);
      for (const it of await serious(page))
        problems.push(`${name}, ${width} px, ${theme}: ${it}`);
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  return problems;
}
