import type { Page, Route } from "playwright-core";
import { describe, expect, inject, it } from "vitest";

import {
  add,
  browsing,
  eventually,
  outline,
  quickAdd,
  row,
  signedIn,
  somebody,
  stored,
  tick,
} from "./browser.ts";

const browser = browsing();

describe("signing in", () => {
  it("takes a click, and a reload asks nobody again", async () => {
    const page = await browser.page();
    await page.goto(inject("web"));
    const buttons = page.getByRole("button");
    await buttons.first().waitFor();
    expect(await buttons.first().innerText()).toBe("Continue as ada");
    await buttons.first().click();
    await page.getByRole("heading", { level: 1, name: "Inbox" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Inbox" }).waitFor();
    const kept = await page.evaluate(() =>
      JSON.stringify({ ...localStorage, ...sessionStorage }),
    );
    expect(kept).not.toContain("eyJ");
    await page.close();
  });
});

describe("a newcomer", () => {
  it("adds, nests, completes, undoes, searches, and sees it move in a second tab", async () => {
    const page = await browser.page();
    await page.goto(inject("web") + "/health/live");
    await page.evaluate(() => localStorage.clear());
    await page.goto(inject("web"));
    await page.getByRole("button", { name: "Continue as ada" }).click();
    await page.getByRole("heading", { level: 1, name: "Inbox" }).waitFor();
    await add(page, "Find a flat", "Pack the boxes", "Tape");
    await page.getByRole("link", { name: "Tape" }).focus();
    await page.keyboard.press("Alt+ArrowRight");
    await eventually(() => outline(page), ["Find a flat", "Pack the boxes", "  Tape"]);
    await tick(page, "Find a flat").check();
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => tick(page, "Find a flat").isChecked()).toBe(false);
    const other = await browser.page();
    await other.goto(inject("web"));
    await eventually(() => outline(other), ["Find a flat", "Pack the boxes", "  Tape"]);
    await page.getByRole("link", { name: "Pack the boxes" }).focus();
    await page.keyboard.press("Alt+ArrowUp");
    await eventually(() => outline(other), ["Pack the boxes", "  Tape", "Find a flat"]);
    await page.keyboard.press("/");
    await page.keyboard.type("fla");
    await page.keyboard.press("Enter");
    await page.getByText("1 task for “fla”").waitFor();
    await tick(page, "Find a flat").waitFor();
    await other.close();
    await page.close();
  });
});

/** Lets a request wait, as a slow connection does. */
async function slow(route: Route): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  await route.continue();
}

type Watched = Window & { orders: string[] };

/** Notes, frame by frame, in which orders the tasks are drawn. */
const watchOrder = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const orders: string[] = [];
    (window as unknown as Watched).orders = orders;
    const look = () => {
      const boxes = [
        ...document.querySelectorAll("main li[aria-level] input[type=checkbox]"),
      ];
      boxes.sort(
        (a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top,
      );
      const order = boxes.map((it) => it.getAttribute("aria-label")).join();
      if (order !== orders.at(-1)) orders.push(order);
      requestAnimationFrame(look);
    };
    look();
  });

const ordersSeen = (page: Page): Promise<string[]> =>
  page.evaluate(() => (window as unknown as Watched).orders);

describe("what the server keeps", () => {
  it("is the order of tasks, and their comments", async () => {
    const page = await browser.page();
    const user = somebody();
    await signedIn(page, user);
    // What takes a while to send is created later than it is shown.
    await page.route("**/commands", slow);
    await watchOrder(page);
    await add(page, "One", "Two", "Three");
    await eventually(async () => (await stored(user)).length, 3);
    await eventually(() => outline(page), ["One", "Two", "Three"]);
    expect(await ordersSeen(page)).toEqual(["", "One", "One,Two", "One,Two,Three"]);
    await page.unroute("**/commands", slow);
    await page.getByRole("link", { name: "Three" }).focus();
    await page.keyboard.press("Alt+ArrowUp");
    await eventually(() => outline(page), ["One", "Three", "Two"]);
    await page.reload();
    await eventually(() => outline(page), ["One", "Three", "Two"]);

    await page.getByRole("link", { name: "Three" }).click();
    await page.getByRole("textbox", { name: "Add a comment" }).fill("On Monday");
    await page.getByRole("button", { name: "Comment", exact: true }).click();
    const comments = page.locator(".comments");
    await comments.getByRole("button", { name: "Edit the comment" }).click();
    await comments.getByRole("textbox").fill("On Tuesday");
    await comments.getByRole("button", { name: "Save" }).click();
    await comments.getByText("On Tuesday").waitFor();
    await comments.getByRole("button", { name: "Delete the comment" }).click();
    await expect.poll(() => comments.getByRole("listitem").count()).toBe(0);
    await page.close();
  });
});

describe("a list", () => {
  it("adds, completes, undoes, edits and nests", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user);
    await add(
      page,
      "Pack the kitchen",
      "Wrap the glasses",
      "Call the notary tomorrow 9am !high @phone",
    );
    await eventually(
      () => outline(page),
      ["Pack the kitchen", "Wrap the glasses", "Call the notary"],
    );
    await page
      .getByText("Tomorrow 09:00")
      .or(page.getByText("tomorrow 09:00"))
      .waitFor();

    await tick(page, "Wrap the glasses").click();
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => tick(page, "Wrap the glasses").isChecked()).toBe(false);

    await page.getByRole("link", { name: "Wrap the glasses" }).focus();
    await page.keyboard.press("Alt+ArrowRight");
    await eventually(
      () => outline(page),
      ["Pack the kitchen", "  Wrap the glasses", "Call the notary"],
    );
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: "Edit the title" }).fill("Wrap the plates");
    await page.keyboard.press("Enter");
    await eventually(
      () => outline(page),
      ["Pack the kitchen", "  Wrap the plates", "Call the notary"],
    );
    await eventually(
      async () => (await stored(user)).map((it) => [it.title, it.parent_id !== null]),
      [
        ["Pack the kitchen", false],
        ["Wrap the plates", true],
        ["Call the notary", false],
      ],
    );
    await page.close();
  });

  it("undoes with z after a reload as well", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await add(page, "Return the keys");
    await tick(page, "Return the keys").check();
    await eventually(async () => page.getByText("live").count(), 1);
    await page.reload();
    await page.getByText("Your inbox is empty").waitFor();
    await page.keyboard.press("z");
    await tick(page, "Return the keys").waitFor();
    expect(await tick(page, "Return the keys").isChecked()).toBe(false);
    await page.close();
  });

  it("shows a panel with the history, and the task as it was then", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await add(page, "Pack the kitchen");
    await page.getByRole("link", { name: "Pack the kitchen" }).click();
    const panel = page.getByRole("complementary", { name: "Task" });
    await panel.getByLabel("Priority").selectOption("urgent");
    const history = panel.getByRole("region", { name: "History" });
    await history.getByText("edited the task").waitFor();
    await history.getByText("urgent").waitFor();
    await history.getByRole("button", { name: "Show as it was then" }).click();
    await panel.getByText("As it was after").waitFor();
    await panel.getByText("Medium", { exact: true }).waitFor();
    await panel.getByRole("button", { name: "Back to now" }).click();
    expect(await panel.getByLabel("Priority").inputValue()).toBe("urgent");
    await panel.getByRole("button", { name: "Add a description" }).click();
    await panel
      .getByRole("textbox", { name: "Description" })
      .fill("They go into the **blue** boxes.<img src=x onerror=alert(1)>");
    await panel.getByRole("button", { name: "Save" }).click();
    await panel.locator("strong", { hasText: "blue" }).waitFor();
    expect(await panel.locator("img").count()).toBe(0);
    await panel.getByRole("textbox", { name: "Add a comment" }).fill("Plates last");
    await panel.getByRole("button", { name: "Comment", exact: true }).click();
    await panel
      .getByRole("region", { name: "Comments" })
      .getByText("Plates last")
      .waitFor();
    await page.close();
  });

  it("finds", async () => {
    const page = await browser.page();
    const user = somebody();
    await signedIn(page, user);
    await page.route("**/commands", slow); // it is found before the server has it
    await add(page, "Buy milk", "Buy bread");
    await eventually(async () => page.getByText("live").count(), 1);
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    await page.keyboard.type("milk");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
    await tick(page, "Buy milk").waitFor();
    await page.getByText("1 task for").waitFor();
    await eventually(async () => (await stored(user)).length, 2);
    await page.getByText("1 task for").waitFor();
    expect(await tick(page, "Buy bread").count()).toBe(0);
    await page.close();
  });

  it("does something to many in one batch, with one undo", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user);
    await add(page, "One", "Two", "Three");
    await row(page, "One")
      .getByRole("link")
      .click({ modifiers: ["ControlOrMeta"] });
    await row(page, "Two")
      .getByRole("link")
      .click({ modifiers: ["Shift"] });
    await page.getByText("2 selected").waitFor();
    await eventually(async () => (await stored(user)).length, 3);
    const batches: string[] = [];
    page.on("request", (it) => {
      if (it.url().endsWith("/api/v1/commands")) batches.push(it.postData() ?? "");
    });
    await page.getByRole("toolbar").getByRole("button", { name: "Complete" }).click();
    await eventually(
      async () => (await stored(user)).map((it) => it.status),
      ["completed", "completed", "pending"],
    );
    expect(batches.map((it) => JSON.parse(it) as object)).toMatchObject([
      {
        atomicity: "all",
        commands: [{ type: "task.complete" }, { type: "task.complete" }],
      },
    ]);
    await page.getByRole("button", { name: "Undo" }).click();
    await eventually(
      async () => (await stored(user)).map((it) => it.status),
      ["pending", "pending", "pending"],
    );
    await page.close();
  });

  it("takes what is added before the copy of the workspace is open", async () => {
    const page = await browser.page();
    await page.addInitScript(() => {
      Object.defineProperty(IDBOpenDBRequest.prototype, "onsuccess", {
        set(this: IDBOpenDBRequest, run: (event: Event) => void) {
          this.addEventListener("success", (event) => setTimeout(run, 1000, event));
        },
      });
    });
    await signedIn(page, somebody());
    await add(page, "Saw the boards #Shed", "Paint them #Shed");
    await eventually(() => outline(page), []);
    const lists = page.getByRole("navigation", { name: "Lists" });
    await lists.getByRole("link", { name: "Shed" }).click();
    await eventually(() => outline(page), ["Saw the boards", "Paint them"]);
    await page.close();
  });

  it("keeps what is half typed", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await quickAdd(page).fill("Half a thou");
    await page.reload();
    expect(await quickAdd(page).inputValue()).toBe("Half a thou");
    await page.close();
  });
});
