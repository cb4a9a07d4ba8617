/**
 * Faults, from the verdict to their cause to their remedy. All are injected at once, as
 * most take their time until they count; `tests/faulty.py` has the jobs that fail.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { Locator, Page } from "playwright-core";
import { afterAll, describe, expect, inject, it } from "vitest";

import { browsing, eventually, somebody, tokenOf } from "./browser.ts";
import { look, serious } from "./looking.ts";
import {
  ROOT,
  act,
  confirm,
  count,
  discardOpen,
  main,
  ops,
  rowOf,
  sql,
} from "./room.ts";
import { childOf } from "./server.ts";

const browser = browsing();
const [small, large, importer] = [somebody(), somebody(), somebody()];
const COUNTED_MS = 60_000; // each fault is seen within a minute, and gone within one
const REDIS_AWAY_MS = 30_000;
const MOST_CLICKS = 3;

let spare: ChildProcess;
let page: Page;

const PYTHON = join(ROOT, ".venv/bin/python");
const FAULTY = ["-m", "tests.faulty"];
const place = () => ({
  cwd: ROOT,
  env: {
    ...process.env,
    METACORTEX_DATA_DIR: inject("data"),
    ENVIRONMENT: "development",
  },
});

const poison = (...users: string[]) =>
  promisify(execFile)(PYTHON, [...FAULTY, "poison", ...users], place());

/** As a release that has the cause mended, without the wait for its start. */
const deploy = (what: string) =>
  writeFileSync(join(inject("data"), `mended-${what}`), "");

/** Asks the API as the owner of a workspace. */
async function post(user: string, path: string, body: object): Promise<void> {
  const token = await tokenOf(user);
  const answer = await fetch(`${inject("api")}/api/v1/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

async function tasks(user: string, many: number): Promise<void> {
  const commands = Array.from({ length: many }, (_, index) => ({
    id: crypto.randomUUID(),
    type: "task.create",
    args: { title: `Task ${index + 1}` },
  }));
  for (let from = 0; from < many; from += 100)
    await post(user, "commands", {
      atomicity: "all",
      commands: commands.slice(from, from + 100),
    });
}

/** A second worker, stopped as soon as it has said that it lives. */
async function stoppedWorker(): Promise<ChildProcess> {
  const started = spawn(PYTHON, [...FAULTY, "worker"], { ...place(), stdio: "ignore" });
  const seen = `SELECT count(*) FROM workers.processes WHERE pid = ${started.pid}`;
  await eventually(() => sql(seen), "1");
  started.kill("SIGSTOP");
  return started;
}

const reason = (code: string): Locator =>
  main(page).getByRole("listitem").filter({ hasText: code });

async function overview(): Promise<void> {
  await page
    .getByRole("navigation", { name: "Operations" })
    .getByRole("link", { name: "Overview" })
    .click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

const clicks = () =>
  page.evaluate(() => (window as unknown as { clicks: number }).clicks);

/** From the overview, once it says so, to the page of the cause; counts from there. */
async function toCause(code: string, link: string): Promise<void> {
  await overview();
  await reason(code).waitFor({ timeout: COUNTED_MS });
  await page.evaluate(() => Object.assign(window, { clicks: 0 }));
  await reason(code).getByRole("link", { name: link }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
}

/** After the remedy: how many clicks it took, and that the verdict no longer says so. */
async function mended(code: string, exactly: number): Promise<void> {
  expect(await clicks()).toBe(exactly);
  expect(exactly).toBeLessThanOrEqual(MOST_CLICKS);
  await overview();
  await reason(code).waitFor({ state: "detached", timeout: COUNTED_MS });
}

/** What a page with a fault on it looks like: pictures if asked for, axe anyway. */
async function seen(name: string): Promise<void> {
  const found = process.env.PICTURES ? await look(page, name) : await serious(page);
  expect(found).toEqual([]);
}

afterAll(async () => {
  spare.kill("SIGCONT");
  spare.kill("SIGTERM");
  await page.close();
});

describe("faults", () => {
  it("are all there", async () => {
    await discardOpen();
    await act("queues/imports/pause");
    await act("schedules/raise_error/run");
    const writing = [
      post(importer, "imports", { content: "# Move\n\n- [ ] Pack\n" }),
      ...[tasks(small, 2), tasks(large, 500)],
    ];
    await eventually(() => count("failures?open=true"), 1);
    spare = await stoppedWorker(); // it takes nothing that somebody else is to fail at
    await act("schedules/kill_process/run");
    await Promise.all(writing);
    await poison(small, large);
    page = await browser.page();
    await page.addInitScript(() => {
      Object.assign(window, { clicks: 0 });
      const told = window as unknown as { clicks: number };
      addEventListener("click", () => told.clicks++, { capture: true });
    });
    await ops(page);
  });

  it("a worker that is stopped: the page says how it goes on", async () => {
    await reason("worker_stalled").waitFor({ timeout: COUNTED_MS });
    await seen("fault-overview");
    await reason("worker_stalled")
      .getByRole("link", { name: /runbook/ })
      .click();
    const heading = main(page).getByRole("heading", { name: "A process has stalled" });
    await eventually(
      () => heading.evaluate((it) => it === document.activeElement),
      true,
    );
    expect(new URL(page.url()).pathname).toBe("/ops/runbook");
    await toCause("worker_stalled", "See processes");
    const notice = main(page).getByRole("region", { name: "A process has stalled" });
    await notice.getByText(`:${spare.pid}`).waitFor();
    await notice.getByText("kill -CONT PID").waitFor();
    await rowOf(page, String(spare.pid)).getByText("stalled").waitFor();
    await seen("fault-stalled");
    spare.kill("SIGCONT");
    await rowOf(page, String(spare.pid)).getByText("alive").waitFor();
    await mended("worker_stalled", 1);
  });

  it("parked workspaces: one goes on at the event, one is made anew in sight", async () => {
    await toCause("workspace_parked", "See projections");
    const [first, second] = await parkedCards();
    await seen("fault-parked");
    deploy("task.edited");
    await first.getByRole("button", { name: "Retry" }).click();
    await confirm(page, "Retry");
    await first.waitFor({ state: "detached" });
    expect(await clicks()).toBe(3);

    await toCause("workspace_parked", "See projections");
    await second.getByRole("button", { name: "Rebuild" }).click();
    await confirm(page, "Rebuild");
    const bar = second.getByRole("progressbar", { name: /of 501$/ });
    await bar.waitFor();
    await second.getByText(/ s left$|^at work$/).waitFor();
    const done = await bar.evaluate((it) => (it as HTMLProgressElement).value);
    await expect
      .poll(() => bar.evaluate((it) => (it as HTMLProgressElement).value))
      .toBeGreaterThan(done);
    await bar.waitFor({ state: "detached" });
    await mended("workspace_parked", 3);
  });

  async function parkedCards(): Promise<[Locator, Locator]> {
    const card = (sequence: number) =>
      main(page)
        .getByRole("region", { name: /^Parked: / })
        .filter({ hasText: `parked at ${sequence}` });
    for (const it of [card(3), card(501)]) {
      await it.getByText("task.edited v2", { exact: true }).waitFor();
      await it.getByText("UnknownEvent('task.edited version 2')").waitFor();
      await it.getByText("match: it is as it was written").waitFor();
      await it.getByText("First deploy the release that knows the event").waitFor();
    }
    return [card(3), card(501)];
  }

  it("a job that fails: what failed alike is tried again together", async () => {
    await toCause("failures_open", "See causes");
    const row = rowOf(page, "raise_error: PaymentRefused");
    await row.getByText("the card of the account has expired").waitFor();
    await seen("fault-raises");
    deploy("raise_error");
    await row.getByRole("button", { name: "Retry" }).click();
    await confirm(page, "Retry");
    await row.waitFor({ state: "detached" });
    expect(await clicks()).toBe(3);
  });

  it("a job that kills its process is given up at its limit", async () => {
    await toCause("failures_open", "See causes");
    const row = rowOf(page, "kill_process: Crashed");
    await row.getByText("died").waitFor();
    await seen("fault-crashed");
    await row.getByRole("button", { name: "Discard" }).click();
    await confirm(page, "Discard");
    await row.waitFor({ state: "detached" });
    await mended("failures_open", 3);
  });

  it("Redis away: the checks say what is wrong and what helps", async () => {
    const redis = childOf(inject("supervisor"), "redis-server");
    process.kill(redis, "SIGSTOP");
    const back = Date.now() + REDIS_AWAY_MS;
    try {
      await toCause("broker_unreachable", "See checks");
      const notice = main(page).getByRole("region", { name: "Redis does not answer" });
      await notice.getByText("start Redis, or mend the way to it").waitFor();
      await rowOf(page, /^redis/i)
        .getByText("failing")
        .waitFor();
      await seen("fault-redis");
      await new Promise((done) => setTimeout(done, back - Date.now()));
    } finally {
      process.kill(redis, "SIGCONT");
    }
    await rowOf(page, /^redis/i)
      .getByText("ok")
      .waitFor();
    await mended("broker_unreachable", 1);
  });

  it("a queue that somebody paused and forgot is resumed", async () => {
    await toCause("queue_growing", "See queues");
    const notice = main(page).getByRole("region", { name: "A queue grows" });
    await notice.getByText("imports is paused: 1 ready").waitFor();
    await seen("fault-paused");
    await rowOf(page, "imports").getByRole("button", { name: "Resume" }).click();
    await confirm(page, "Resume");
    await mended("queue_growing", 3);
  });

  it("and then nothing needs anybody", async () => {
    await overview();
    await main(page)
      .getByRole("heading", { level: 2, name: "Healthy: nothing needs you" })
      .waitFor({ timeout: COUNTED_MS });
    expect(await count("failures?open=true")).toBe(0);
    expect(await count("runs?outcome=running")).toBe(0);
    browser.complaints.splice(0);
  });
});
