/** Measures the built app in Chromium, and writes what it finds to bench/RESULTS.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import type { Page } from "playwright-core";
import { afterAll, describe, inject, it } from "vitest";

import { type Figure, section, write } from "./results.ts";
import {
  add,
  browsing,
  quickAdd,
  signedIn,
  somebody,
  tick,
  tokenOf,
} from "./browser.ts";

const browser = browsing();
const figures: Figure[] = [];

async function fill(user: string, count: number, parent?: string): Promise<void> {
  const token = await tokenOf(user);
  for (let from = 0; from < count; from += 100) {
    const size = Math.min(100, count - from);
    const commands = Array.from({ length: size }, (_, index) => ({
      id: crypto.randomUUID(),
      type: "task.create",
      args: { title: `Task ${from + index + 1}`, ...(parent && { parent_id: parent }) },
    }));
    const answer = await fetch(`${inject("api")}/api/v1/commands`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ atomicity: "all", commands }),
    });
    if (!answer.ok) throw new Error(await answer.text());
  }
}

/** From a click to after the frame that shows the answer. */
async function clicks(page: Page, selector: string, times: number): Promise<number[]> {
  return page.evaluate(
    async ([target, count]) => {
      const frame = () =>
        new Promise<number>((done) =>
          requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => done(performance.now());
            port2.postMessage(null);
          }),
        );
      const found: number[] = [];
      for (let index = 0; index < count; index++) {
        const all = document.querySelectorAll<HTMLElement>(target);
        const element = all[index % Math.min(5, all.length)];
        const begun = performance.now();
        element?.click();
        found.push((await frame()) - begun);
        await new Promise((done) => setTimeout(done, 150));
      }
      return found;
    },
    [selector, times] as const,
  );
}

async function firstList(user: string): Promise<number> {
  const page = await browser.page();
  const session = await browser.context.newCDPSession(page);
  await session.send("Storage.clearDataForOrigin", {
    origin: inject("web"),
    storageTypes: "all",
  });
  await session.send("Network.clearBrowserCache");
  await page.addInitScript((value) => {
    localStorage.setItem("metacortex.development", value);
    new MutationObserver(() => {
      const rows = document.querySelectorAll("main li").length;
      const holder = window as unknown as { firstList?: number };
      if (rows >= 20) holder.firstList ??= performance.now();
    }).observe(document, { childList: true, subtree: true });
  }, JSON.stringify({ user }));
  await page.goto(inject("web"));
  await page.waitForFunction(() => "firstList" in window);
  const found = await page.evaluate(
    () => (window as unknown as { firstList: number }).firstList,
  );
  await page.close();
  return found;
}

describe("figures", () => {
  it("size of the first view", () => {
    const built = join(import.meta.dirname, "../../metacortex/web");
    const html = readFileSync(join(built, "index.html"), "utf8");
    const files = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(
      (it) => it[1] ?? "",
    );
    files.push("sw.js");
    const bytes = files.map(
      (it) => gzipSync(readFileSync(join(built, it)), { level: 9 }).length,
    );
    const total = bytes.reduce((sum, it) => sum + it, 0);
    figures.push({
      what: `JavaScript of \`/\`, gzip, ${files.length} files`,
      unit: "kB",
      most: 150,
      values: [total / 1000],
    });
  });

  it("first list of 50", async () => {
    const user = somebody();
    await fill(user, 50);
    const times: number[] = [];
    for (let run = 0; run < 10; run++) times.push(await firstList(user));
    figures.push({
      what: "list of 50, cold cache",
      unit: "ms",
      most: 1000,
      values: times,
    });
  });

  it("ticks, redraws and scrolls", async () => {
    const user = somebody();
    await fill(user, 10_000);
    const page = await browser.page();
    await signedIn(page, user);
    await page
      .getByRole("link", { name: /^Inbox\s*10,000/ })
      .waitFor({ timeout: 60_000 });
    await page.waitForTimeout(1000);
    figures.push({
      what: "tick to paint, list of 10,000",
      unit: "ms",
      most: 50,
      values: await clicks(page, "main li input.check", 40),
    });
    const frames = await page.evaluate(async () => {
      const main = document.querySelector("main");
      const found: number[] = [];
      let last = performance.now();
      for (let step = 0; step < 300; step++) {
        main?.scrollBy(0, 240);
        const now = await new Promise<number>(requestAnimationFrame);
        found.push(now - last);
        last = now;
      }
      return found.slice(1);
    });
    figures.push({
      what: "frames while 10,000 tasks scroll",
      unit: "ms",
      values: frames,
    });
    await page.close();
  });

  it("redraws a thousand rows", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user);
    await add(page, "Parent");
    await tick(page, "Parent").waitFor();
    const href = await page.getByRole("link", { name: "Parent" }).getAttribute("href");
    await page.getByRole("button", { name: "live", exact: true }).waitFor();
    await page.waitForTimeout(500);
    await fill(
      user,
      1000,
      new URL(href ?? "", page.url()).searchParams.get("task") ?? "",
    );
    await page.getByText("0/1000").waitFor();
    await page.waitForTimeout(1000);
    figures.push({
      what: "show and hide 1,000 subtasks",
      unit: "ms",
      most: 100,
      values: await clicks(page, "main button.expander", 20),
    });
    await page.close();
  });

  it("tells the other tab", async () => {
    const user = somebody();
    const [one, two] = [await browser.page(), await browser.page()];
    for (const page of [one, two]) {
      await signedIn(page, user);
      await page.getByRole("button", { name: "live", exact: true }).waitFor();
    }
    const times: number[] = [];
    for (let index = 0; index < 20; index++) {
      const title = `Across ${index}`;
      const seen = two.evaluate(
        (name) =>
          new Promise<number>((done) => {
            const watcher = new MutationObserver(() => {
              if (!document.querySelector(`input[aria-label="${name}"]`)) return;
              watcher.disconnect();
              done(Date.now());
            });
            watcher.observe(document, {
              childList: true,
              subtree: true,
              attributes: true,
            });
          }),
        title,
      );
      await quickAdd(one).fill(title);
      const begun = await one.evaluate(() => Date.now());
      await quickAdd(one).press("Enter");
      times.push((await seen) - begun);
    }
    figures.push({
      what: "from one tab to another",
      unit: "ms",
      most: 1000,
      values: times,
    });
    await one.close();
    await two.close();
  });

  afterAll(() => {
    const text = section(figures, browser.context.browser()?.version() ?? "");
    console.log(text);
    write(text);
  });
});
