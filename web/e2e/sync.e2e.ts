import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, inject, it } from "vitest";

import {
  add,
  browsing,
  eventually,
  metacortex,
  outline,
  row,
  signedIn,
  somebody,
  stored,
  tick,
  tokenOf,
} from "./browser.ts";
import { childOf } from "./server.ts";

const browser = browsing();

/** A check list as large as those that people publish. */
function checkList(): string {
  const file = join(mkdtempSync(join(tmpdir(), "metacortex-list-")), "list.md");
  const chapters = Array.from({ length: 20 }, (_, chapter) => {
    const items = Array.from(
      { length: 30 },
      (_item, index) =>
        `${index % 3 ? "    " : ""}- [ ] Chapter ${chapter + 1}, item ${index + 1}`,
    );
    return [`## Chapter ${chapter + 1}`, "", ...items].join("\n");
  });
  writeFileSync(file, `# Long list\n\n${chapters.join("\n\n")}\n`);
  return file;
}

const live = (page: Awaited<ReturnType<typeof browser.page>>) =>
  page.getByRole("button", { name: "live", exact: true }).waitFor();

/** Takes out what a test provoked: requests that could not be answered. */
function provoked(): void {
  const rest = browser.complaints.filter((it) => !/Failed to load resource/.test(it));
  browser.complaints.splice(0, Infinity, ...rest);
}

describe("two tabs", () => {
  it("agree within a second, over one event stream", async () => {
    const user = somebody();
    const [one, two] = [await browser.page(), await browser.page()];
    const streams = new Set<object>();
    browser.context.on("request", (it) => {
      if (it.url().endsWith("/events/stream")) streams.add(it);
    });
    await signedIn(one, user);
    await live(one);
    await signedIn(two, user);
    await live(two);
    streams.clear();
    await add(one, "Seen by both");
    await tick(two, "Seen by both").waitFor({ timeout: 1000 });
    await tick(two, "Seen by both").check();
    await expect
      .poll(() => tick(one, "Seen by both").isChecked(), { timeout: 1000 })
      .toBe(true);
    expect(streams.size).toBe(0);
    await one.close();
    await add(two, "The other tab follows on");
    await eventually(async () => (await stored(user)).length, 2);
    const token = await tokenOf(user);
    await fetch(`${inject("api")}/api/v1/tasks`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ title: "From elsewhere" }),
    });
    await tick(two, "From elsewhere").waitFor({ timeout: 3000 });
    await two.close();
  });
});

describe("offline", () => {
  it("keeps five changes over ten seconds and a reload, and sends each once, in order", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user);
    await live(page);
    await add(page, "Before");
    await eventually(async () => (await stored(user)).length, 1);
    await page.reload(); // the service worker has the page from now on
    await live(page);
    await browser.context.setOffline(true);
    await add(page, "First", "Second");
    await page.getByRole("button", { name: "offline · 2 to send" }).waitFor();
    await page.reload();
    await tick(page, "Second").waitFor();
    expect(await outline(page)).toEqual(["Before", "First", "Second"]);
    await add(page, "Third", "Fourth");
    await tick(page, "First").check();
    await page.getByRole("button", { name: "offline · 5 to send" }).waitFor();
    await page.waitForTimeout(10_000);
    expect(await stored(user)).toHaveLength(1);
    await browser.context.setOffline(false);
    await live(page);
    await eventually(
      async () =>
        (await stored(user)).map((it) => `${it.title} ${it.status} ${it.version}`),
      [
        "Before pending 1",
        "First completed 2",
        "Second pending 1",
        "Third pending 1",
        "Fourth pending 1",
      ],
    );
    provoked();
    await page.close();
  });

  it("says what was refused, and why", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user);
    await live(page);
    await add(page, "Contested");
    await eventually(async () => (await stored(user)).length, 1);
    await browser.context.setOffline(true);
    await page.getByRole("link", { name: "Contested" }).focus();
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: "Edit the title" }).fill("Mine");
    await page.keyboard.press("Enter");
    const [task] = await stored(user);
    const token = await tokenOf(user);
    await fetch(`${inject("api")}/api/v1/tasks/${task?.id}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}` },
    });
    await browser.context.setOffline(false);
    await page.getByRole("button", { name: "1 not done" }).click();
    const dialog = page.getByRole("dialog", { name: "Changes" });
    await dialog.getByText("Edited “Mine”").waitFor();
    await dialog.getByRole("button", { name: "Discard" }).click();
    await dialog.getByText("Everything is sent.").waitFor();
    provoked();
    await page.close();
  });

  it("loses nothing when the API is killed while one types", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user);
    await live(page);
    const titles = Array.from({ length: 12 }, (_, index) => `Task ${index + 1}`);
    for (const title of titles) {
      await add(page, title);
      if (title === "Task 4")
        process.kill(childOf(inject("supervisor"), "api"), "SIGKILL");
    }
    await eventually(
      async () => (await stored(user).catch(() => [])).map((it) => it.title),
      titles,
      30_000,
    );
    await live(page);
    expect(await outline(page)).toEqual(titles);
    provoked();
    await page.close();
  });
});

describe("many tasks", () => {
  it("appear while an import runs", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user, "/all");
    await live(page);
    const list = process.env.CHECKLIST ?? checkList(); // of shared/data, for one
    const importing = metacortex("import", "checklist", list, "--user", user);
    await page.getByRole("listitem").first().waitFor({ timeout: 50_000 });
    await importing;
    await eventually(async () => {
      const text = await page
        .getByRole("navigation", { name: "Lists" })
        .getByRole("link", { name: /^All/ })
        .innerText();
      return Number(text.replace(/\D/g, "")) > 50;
    }, true);
    await page.close();
  });

  it("scroll by the thousand", async () => {
    const user = somebody();
    const token = await tokenOf(user);
    for (let batch = 0; batch < 100; batch++) {
      const commands = Array.from({ length: 100 }, (_, index) => ({
        id: crypto.randomUUID(),
        type: "task.create",
        args: { title: `Task ${batch * 100 + index + 1}` },
      }));
      const answer = await fetch(`${inject("api")}/api/v1/commands`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ atomicity: "all", commands }),
      });
      expect(answer.status).toBe(200);
    }
    const page = await browser.page();
    await signedIn(page, user);
    await page
      .getByRole("link", { name: /^Inbox\s*10,000/ })
      .waitFor({ timeout: 30_000 });
    await page
      .getByRole("main")
      .evaluate((main) => main.scrollTo(0, main.scrollHeight));
    await tick(page, "Task 10000").waitFor();
    expect(await page.getByRole("main").getByRole("listitem").count()).toBeLessThan(
      100,
    );
    await tick(page, "Task 10000").check();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    await add(page, "One more");
    await row(page, "One more").waitFor();
    await page.close();
  }, 180_000);
});
