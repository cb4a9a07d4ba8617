import { randomUUID } from "node:crypto";

import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";

import { add, browsing, eventually, signedIn, somebody } from "./browser.ts";
import { look } from "./looking.ts";
import { act, confirm, count, main, ops, rowOf, sql } from "./room.ts";

const browser = browsing();

/** A run of the job that compares a workspace; it failed for good. */
async function failedRun(workspace: string, error = "the bridge is out") {
  const id = randomUUID();
  const fingerprint = id.slice(0, 8) + "c0ffee00";
  await sql(
    `INSERT INTO workers.runs (id, actor, queue, message_id, arguments, workspace_id,
       started_at, finished_at, duration_ms, outcome, open, error_type, error_message,
       fingerprint, traceback, correlation_id)
     VALUES ('${id}', 'verify_workspace', 'maintenance', '${randomUUID()}',
       '{"workspace_id": "${workspace}"}', '${workspace}', now(), now(), 41.5, 'failed',
       true, 'Broken', '${error}', '${fingerprint}',
       'Traceback (most recent call last):' || chr(10) || 'Broken: ${error}', '${id}');
     INSERT INTO workers.failures VALUES ('${fingerprint}', 'verify_workspace', 'Broken',
       '${error}', now(), now(), 1, '${id}')`,
  );
  return { id, fingerprint };
}

/** A workspace that has a log and a read table. */
async function someWorkspace(page: Page): Promise<void> {
  await signedIn(page, somebody());
  await add(page, "Feed the cat", "Water the plants");
  await page.getByText("live", { exact: true }).waitFor();
}

describe("the operators' room", () => {
  it("is live, and says that nothing needs anybody", async () => {
    const page = await browser.page();
    await ops(page);
    await main(page)
      .getByRole("heading", { level: 2, name: "Healthy: nothing needs you" })
      .waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    for (const name of ["Commands", "Events projected", "Oldest lag", "Failures"])
      await main(page)
        .getByRole("img", { name: new RegExp(`^${name}, Last hour`) })
        .waitFor();
    await main(page).getByRole("combobox", { name: "Time shown" }).selectOption("15m");
    await page.waitForURL(/range=15m/);
    const changes = main(page).getByRole("region", { name: "What changed last" });
    await changes.getByRole("listitem").first().waitFor();
    await page.close();
  });

  it("shows what an owner must not see to nobody else", async () => {
    const page = await browser.page();
    const asked: string[] = [];
    page.on("request", (it) => asked.push(it.url()));
    await signedIn(page, somebody(), "/ops/runs");
    await page.getByText("It is for the role Operator; yours is Owner.").waitFor();
    expect(asked.filter((it) => it.includes("/api/v1/ops"))).toEqual([]);
    await page.close();
  });

  it("pauses a queue after asking, resumes it, and writes both down", async () => {
    const page = await browser.page();
    await ops(page, "/queues");
    const row = rowOf(page, "imports");
    const before = await count("actions?target=imports");
    await row.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("dialog").getByText("messages are kept").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await row.getByText("running", { exact: true }).waitFor();
    expect(await count("actions?target=imports")).toBe(before);
    await row.getByRole("button", { name: "Pause" }).click();
    await confirm(page, "Pause");
    await row.getByText("paused", { exact: true }).waitFor();
    await row.getByRole("button", { name: "Resume" }).click();
    await confirm(page, "Resume");
    await row.getByText("running", { exact: true }).waitFor();
    await page
      .getByRole("navigation", { name: "Operations" })
      .getByRole("link", { name: "Actions" })
      .click();
    await rowOf(page, "queue.resume").filter({ hasText: "imports" }).first().waitFor();
    expect(await count("actions?target=imports")).toBe(before + 2);
    await page.close();
  });

  it("goes from a red verdict to cause to remedy in three clicks", async () => {
    const page = await browser.page();
    await someWorkspace(page);
    const { id, fingerprint } = await failedRun(randomUUID());
    await ops(page);
    const reason = main(page)
      .getByRole("listitem")
      .filter({ hasText: "failures_open" });
    await reason.waitFor();
    await reason.getByRole("link", { name: "See causes" }).click();
    const row = rowOf(page, "verify_workspace: Broken").filter({
      has: page.getByRole("button", { name: "Discard" }),
    });
    await row.getByRole("button", { name: "Discard" }).first().click();
    await confirm(page, "Discard");
    await row.waitFor({ state: "detached" });
    expect(await count(`actions?target=${fingerprint}`)).toBe(1);
    await page.goto(new URL(`/ops/runs/${id}`, page.url()).href);
    await main(page).getByText("discarded", { exact: true }).first().waitFor();
    await page
      .getByRole("navigation", { name: "Operations" })
      .getByRole("link", { name: "Overview" })
      .click();
    await main(page)
      .getByRole("heading", { level: 2, name: /^Healthy/ })
      .waitFor();
    await page.close();
  });

  it("finds a run by its words, shows why it failed, and retries it once", async () => {
    const page = await browser.page();
    const { id } = await failedRun(randomUUID(), "xylophone out of tune");
    await ops(page, "/runs");
    const box = main(page).getByRole("searchbox", { name: "Search runs" });
    await box.fill("xylophone");
    await box.press("Enter");
    await page.waitForURL(/q=xylophone/);
    await expect.poll(() => rowOf(page, "verify_workspace").count()).toBe(1);
    await main(page).getByRole("link", { name: "verify_workspace" }).first().click();
    await page.waitForURL(new RegExp(id));
    await main(page).getByText("Broken: xylophone out of tune").first().waitFor();
    const head = main(page).locator(".page-head");
    await head.getByRole("button", { name: "Retry" }).click();
    await confirm(page, "Retry");
    await head.getByRole("button", { name: "Retry" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Show" }).click();
    await main(page).getByText("Repeats").waitFor();
    expect(await count(`actions?target=${id}`)).toBe(1);
    await page.goto(new URL(`/ops/runs/${id}`, page.url()).href);
    await rowOf(page, "run.retry").waitFor();
    await page.close();
  });

  it("tells a run's whole story: command, events, read tables, other runs", async () => {
    const page = await browser.page();
    await someWorkspace(page);
    const latest =
      "SELECT workspace_id FROM commands.receipts ORDER BY recorded_at DESC";
    await eventually(async () => (await sql(`${latest} LIMIT 1`)) !== "", true);
    const workspace = await sql(`${latest} LIMIT 1`);
    const { id } = await failedRun(workspace);
    const { id: other } = await failedRun(workspace);
    await sql(
      `UPDATE workers.runs SET correlation_id = '${id}', command_id = (SELECT command_id
         FROM commands.receipts WHERE workspace_id = '${workspace}'
         ORDER BY recorded_at LIMIT 1) WHERE id IN ('${id}', '${other}')`,
    );
    await ops(page, `/runs/${id}`);
    const part = (name: string) => main(page).getByRole("region", { name });
    await part("Commands").getByText("task.create", { exact: true }).waitFor();
    await part("Events").getByText("task.created").waitFor();
    await part("Read tables").getByText("yes").waitFor();
    if (process.env.PICTURES) await look(page, "ops-story");
    await part("Other runs").getByRole("link", { name: "verify_workspace" }).click();
    await page.waitForURL(new RegExp(other));
    await act(`runs/${id}/discard`);
    await act(`runs/${other}/discard`);
    await page.close();
  });

  it("rebuilds and verifies read tables, and leads to the runs", async () => {
    const page = await browser.page();
    await someWorkspace(page);
    await ops(page, "/projections");
    const row = rowOf(page, "following").first();
    await row.getByRole("button", { name: "Rebuild" }).click();
    await page.getByRole("dialog").getByText("The log is not touched.").waitFor();
    await confirm(page, "Rebuild");
    await page.getByRole("button", { name: "Show" }).click();
    await main(page)
      .getByRole("heading", { level: 1, name: "rebuild_workspace" })
      .waitFor();
    await main(page).getByText("succeeded", { exact: true }).first().waitFor();
    await page.goBack();
    await row.getByRole("button", { name: "Verify" }).click();
    await confirm(page, "Verify");
    await page.getByRole("button", { name: "Show" }).click();
    await main(page).getByText("succeeded", { exact: true }).first().waitFor();
    await page.close();
  });

  it("says that it knows nothing when the API does not answer", async () => {
    const page = await browser.page();
    await ops(page);
    await page.getByText("live", { exact: true }).waitFor();
    await page.route("**/api/v1/ops/**", (route) => route.abort());
    await page.goto(new URL("/ops/queues", page.url()).href);
    await main(page).getByRole("alert").getByText("This cannot be shown").waitFor();
    await page.unroute("**/api/v1/ops/**");
    await rowOf(page, "imports").waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    browser.complaints.splice(0); // those of the requests that were cut
    await page.close();
  });

  it("asks and acts by the keyboard alone", async () => {
    const page = await browser.page();
    await ops(page, "/schedules");
    const pause = rowOf(page, "retention").getByRole("button", { name: "Pause" });
    await pause.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await eventually(() => pause.evaluate((it) => it === document.activeElement), true);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await rowOf(page, "retention").getByText("paused", { exact: true }).waitFor();
    const resume = rowOf(page, "retention").getByRole("button", { name: "Resume" });
    await eventually(
      () => resume.evaluate((it) => it === document.activeElement),
      true,
    );
    await page.keyboard.press("Enter");
    await confirm(page, "Resume");
    await rowOf(page, "retention").getByText("on", { exact: true }).waitFor();
    await page.close();
  });
});

describe("every page of it", () => {
  let problems: string[] = [];
  afterEach(() => {
    expect(problems).toEqual([]);
    problems = [];
  });

  it("has nothing serious against it, at three widths in two themes", async () => {
    const page = await browser.page();
    await someWorkspace(page);
    const { id } = await failedRun(randomUUID());
    await ops(page);
    await main(page).getByText("failures_open").waitFor();
    problems.push(...(await look(page, "ops-overview")));
    for (const name of [
      ...["Runs", "Failures", "Schedules", "Queues", "Workers"],
      ...["Projections", "Checks", "Database", "Actions", "Runbook"],
    ]) {
      await page
        .getByRole("navigation", { name: "Operations" })
        .getByRole("link", { name })
        .click();
      await page.getByRole("heading", { level: 1, name }).waitFor();
      await main(page).getByRole("table").first().waitFor();
      problems.push(...(await look(page, `ops-${name.toLowerCase()}`)));
    }
    await page.goto(new URL(`/ops/runs/${id}`, page.url()).href);
    await main(page).getByText("Traceback", { exact: true }).waitFor();
    problems.push(...(await look(page, "ops-run")));
    await page.goto(new URL("/ops/queues", page.url()).href);
    await rowOf(page, "imports").getByRole("button", { name: "Pause" }).click();
    problems.push(...(await look(page, "ops-dialog")));
    await page.close();
  }, 600_000);

  it("works from right to left", async () => {
    const page = await browser.page();
    await ops(page);
    await page.evaluate(() => localStorage.setItem("metacortex.direction", "rtl"));
    await page.reload();
    await main(page).getByRole("heading", { level: 2 }).first().waitFor();
    problems.push(...(await look(page, "ops-rtl")));
    await page.close();
  }, 120_000);
});
