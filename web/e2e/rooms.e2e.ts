import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";

import {
  add,
  browsing,
  eventually,
  outline,
  quickAdd,
  row,
  signedIn,
  somebody,
  tick,
} from "./browser.ts";

const browser = browsing();

describe("rooms", () => {
  it.each([
    ["owner", "Inbox", ["App", "Audit"]],
    ["auditor", "Audit", ["Audit"]],
    ["operator", "Overview", ["Ops"]],
  ])("%s comes into %s and sees %s", async (role, heading, rooms) => {
    const page = await browser.page();
    await signedIn(page, somebody(), "/", role);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    const links = page.getByRole("navigation", { name: "Rooms" }).getByRole("link");
    expect(await links.allInnerTexts()).toEqual(rooms);
    await page.close();
  });

  it("say which role they need", async () => {
    const page = await browser.page();
    await signedIn(page, somebody(), "/ops");
    await page.getByText("It is for the role Operator; yours is Owner.").waitFor();
    await signedIn(page, somebody(), "/today", "auditor");
    await page
      .getByText("It is for the role Owner or Member; yours is Auditor.")
      .waitFor();
    await page.close();
  });
});

describe("the keyboard alone", () => {
  it("adds, walks, completes, nests, selects, deletes, undoes and finds its way", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await page.getByRole("button", { name: "live", exact: true }).waitFor();
    await page.keyboard.press("q");
    for (const title of ["One", "Two", "Three"]) {
      await page.keyboard.type(title);
      await page.keyboard.press("Enter");
    }
    await eventually(() => outline(page), ["One", "Two", "Three"]);
    await page.keyboard.press("Escape");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Alt+ArrowRight");
    await eventually(() => outline(page), ["One", "  Two", "Three"]);
    await page.keyboard.press("c");
    await expect.poll(() => tick(page, "Two").isChecked()).toBe(true);
    await page.keyboard.press("z");
    await expect.poll(() => tick(page, "Two").isChecked()).toBe(false);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowLeft");
    await eventually(() => outline(page), ["One", "Three"]);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Alt+ArrowLeft");
    await eventually(
      async () => (await outline(page)).map((it) => it.trim() === it),
      [true, true, true],
    );
    await page.keyboard.press("x");
    await page.keyboard.press("Shift+ArrowDown");
    await page.getByText("2 selected").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Delete");
    await eventually(async () => (await outline(page)).length, 2);
    await page.keyboard.press("z");
    await eventually(async () => (await outline(page)).length, 3);
    await page.keyboard.press("Enter");
    await page.getByRole("complementary", { name: "Task" }).waitFor();
    await page.keyboard.press("Escape");
    await page
      .getByRole("complementary", { name: "Task" })
      .waitFor({ state: "detached" });
    await page.keyboard.press("g");
    await page.keyboard.press("t");
    await page.getByRole("heading", { level: 1, name: "Today" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.close();
  });
});

describe("the mouse", () => {
  it("nests by dragging", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await add(page, "Parent", "Child");
    await row(page, "Child").hover();
    const grip = row(page, "Child").locator(".grip");
    const from = (await grip.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    const [x, y] = [from.x + from.width / 2, from.y + from.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + 20, y + 2, { steps: 4 });
    await page.mouse.move(x + 40, y, { steps: 4 });
    await page.mouse.up();
    await eventually(() => outline(page), ["Parent", "  Child"]);
    await page.close();
  });

  it("edits with a double click, and leaves text as it is with Escape", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await add(page, "Old");
    await page.getByRole("link", { name: "Old" }).dblclick();
    const box = page.getByRole("main").getByRole("textbox", { name: "Edit the title" });
    await box.fill("Not this");
    await box.press("Escape");
    await row(page, "Old").waitFor();
    await page.getByRole("link", { name: "Old" }).dblclick();
    await box.fill("New");
    await box.press("Enter");
    await row(page, "New").waitFor();
    await page.close();
  });
});

describe("what people write", () => {
  const ATTACKS = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "[click](javascript:window.hacked=1)",
    "[click](data:text/html,<script>window.hacked=1</script>)",
    "<a href='javascript:window.hacked=1'>x</a>",
    "<svg onload='window.hacked = 1'>",
    "![x](https://example.org/spy.png)",
    "<div style='position:fixed;inset:0'>over everything</div>",
    "<iframe src='https://example.org'></iframe>",
  ];

  it("does nothing but stand there", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await add(page, "<img src=x onerror=window.hacked=1>");
    await page.getByRole("link", { name: "<img" }).click();
    const panel = page.getByRole("complementary", { name: "Task" });
    await panel.getByRole("button", { name: "Add a description" }).click();
    await panel
      .getByRole("textbox", { name: "Description" })
      .fill(ATTACKS.join("\n\n"));
    await panel.getByRole("button", { name: "Save" }).click();
    const text = panel.locator(".markdown");
    await text.getByText("over everything").waitFor();
    const found = await text.evaluate((root) => ({
      tags: [
        ...root.querySelectorAll(
          "script, img, svg, iframe, [style], [onerror], [onload]",
        ),
      ].length,
      links: [...root.querySelectorAll("a")].map((it) => it.getAttribute("href")),
    }));
    expect(found).toEqual({
      tags: 0,
      links: [null, null, "https://example.org/spy.png"],
    });
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    await page.close();
  });
});

describe("settings", () => {
  it("switch the theme, over a reload", async () => {
    const page = await browser.page();
    await page.emulateMedia({ colorScheme: "light" });
    await signedIn(page, somebody(), "/settings");
    await page.getByRole("radio", { name: "Dark" }).check();
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    expect(await theme()).toBe("dark");
    await page.reload();
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    expect(await theme()).toBe("dark");
    await page.getByRole("radio", { name: "As the system" }).check();
    expect(await theme()).toBe("light");
    await page.close();
  });
});

describe("from right to left", () => {
  it("nests where subtasks are drawn: to the left", async () => {
    const page = await browser.page();
    await signedIn(page, somebody(), "/settings");
    await page.getByRole("radio", { name: "Right to left" }).check();
    await page.goto(new URL("/", page.url()).href);
    await add(page, "One", "Two");
    await page.getByRole("link", { name: "Two" }).focus();
    await page.keyboard.press("Alt+ArrowLeft");
    await eventually(() => outline(page), ["One", "  Two"]);
    const starts = await page
      .getByRole("main")
      .getByRole("checkbox")
      .evaluateAll((all) => all.map((it) => it.getBoundingClientRect().right));
    expect(starts[1]).toBeLessThan(starts[0] ?? 0);
    await page.keyboard.press("Alt+ArrowRight");
    await eventually(() => outline(page), ["One", "Two"]);
    await page.evaluate(() => localStorage.removeItem("metacortex.direction"));
    await page.close();
  });
});

describe("motion", () => {
  const durations = (page: Page) =>
    page.evaluate(() =>
      [...document.querySelectorAll("*")].flatMap((it) => {
        const style = getComputedStyle(it);
        const all = `${style.transitionDuration}, ${style.animationDuration}`;
        return all.split(", ").map(parseFloat);
      }),
    );

  it("takes 150 ms at most, and there is none where it is not wanted", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await add(page, "Moves");
    await page.getByRole("link", { name: "Moves" }).click();
    await page.getByRole("complementary", { name: "Task" }).waitFor();
    expect(Math.max(...(await durations(page)))).toBeLessThanOrEqual(0.15);
    await page.emulateMedia({ reducedMotion: "reduce" });
    expect(Math.max(...(await durations(page)))).toBe(0);
    await page.close();
  });
});

describe("narrow pages", () => {
  it("have their lists in a drawer, and the panel over the list", async () => {
    const page = await browser.page();
    await page.setViewportSize({ width: 360, height: 720 });
    await signedIn(page, somebody());
    await add(page, "Small");
    await page.getByRole("link", { name: "Small" }).click();
    await page.getByRole("button", { name: "Close the task" }).click();
    await page.getByRole("button", { name: "Menu" }).click();
    await page
      .getByRole("navigation", { name: "Lists" })
      .getByRole("link", { name: "Upcoming" })
      .click();
    await page.getByRole("heading", { level: 1, name: "Upcoming" }).waitFor();
    expect(await page.getByRole("navigation", { name: "Lists" }).isVisible()).toBe(
      false,
    );
    await page.getByRole("button", { name: "Add a task" }).click();
    expect(await quickAdd(page).evaluate((it) => it === document.activeElement)).toBe(
      true,
    );
    await page.close();
  });
});
