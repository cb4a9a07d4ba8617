/** The other views of a list: the board by section, and the time machine. */
import type { Page } from "playwright-core";
import { describe, expect, inject, it } from "vitest";

import {
  add,
  browsing,
  eventually,
  focused,
  outline,
  quickAdd,
  signedIn,
  somebody,
  stored,
  tick,
  tokenOf,
} from "./browser.ts";

const browser = browsing();

const column = (page: Page, name: string) => page.getByRole("region", { name });

/** The columns of the board, each with its cards. */
async function columns(page: Page): Promise<Record<string, string[]>> {
  return page
    .getByRole("group", { name: "Board" })
    .evaluate((board) =>
      Object.fromEntries(
        [...board.querySelectorAll("section")].map((it) => [
          it.getAttribute("aria-label") ?? "",
          [...it.querySelectorAll("a")].map((card) => card.textContent),
        ]),
      ),
    );
}

/** The names of the sections as the server orders them. */
async function storedSections(user: string): Promise<string[]> {
  const headers = { authorization: `Bearer ${await tokenOf(user)}` };
  const projects = await fetch(`${inject("api")}/api/v1/projects`, { headers });
  const [project] = ((await projects.json()) as { data: { id: string }[] }).data;
  const query = `project_id=${project?.id}&sort=rank`;
  const answer = await fetch(`${inject("api")}/api/v1/sections?${query}`, { headers });
  return ((await answer.json()) as { data: { name: string }[] }).data.map(
    (it) => it.name,
  );
}

async function addSections(page: Page, ...names: string[]): Promise<void> {
  for (const name of names) {
    await page.getByRole("button", { name: "Add a section" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill(name);
    await page.getByRole("button", { name: "Save" }).click();
    await column(page, name).waitFor();
  }
}

async function openBoard(page: Page, user: string): Promise<void> {
  await signedIn(page, user);
  await add(page, "Saw the boards #Shed");
  await page
    .getByRole("navigation", { name: "Lists" })
    .getByRole("link", { name: "Shed" })
    .click();
  await page.getByRole("button", { name: "Board" }).click();
  await column(page, "No section").waitFor();
}

async function choose(page: Page, section: string, item: string): Promise<void> {
  await page.getByRole("button", { name: `Section ${section}` }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

describe("the board", () => {
  it("makes, names, moves and deletes sections, and takes it back", async () => {
    const user = somebody();
    const page = await browser.page();
    await openBoard(page, user);
    await addSections(page, "Doing", "Drying", "Done");
    await choose(page, "Doing", "Rename");
    await page.getByRole("textbox", { name: "Name" }).fill("In hand");
    await page.keyboard.press("Enter");
    await column(page, "In hand").waitFor();

    const names = async () => Object.keys(await columns(page)).slice(1);
    const done = page.getByRole("button", { name: "Section Done" });
    await done.focus();
    await page.keyboard.press("Alt+ArrowLeft");
    await eventually(names, ["In hand", "Done", "Drying"]);
    await eventually(() => focused(done), true);
    await page.keyboard.press("Alt+ArrowLeft");
    await eventually(names, ["Done", "In hand", "Drying"]);
    await choose(page, "Done", "Move one column on");
    await eventually(names, ["In hand", "Done", "Drying"]);
    await page
      .getByRole("heading", { name: "Drying" })
      .dragTo(column(page, "In hand"), { sourcePosition: { x: 20, y: 12 } });
    await eventually(names, ["Drying", "In hand", "Done"]);
    await eventually(() => storedSections(user), ["Drying", "In hand", "Done"]);
    await page.keyboard.press("z");
    await eventually(names, ["In hand", "Done", "Drying"]);
    await eventually(() => storedSections(user), ["In hand", "Done", "Drying"]);

    const card = page.getByRole("link", { name: "Saw the boards" });
    await card.dragTo(column(page, "Done"));
    await column(page, "Done").getByRole("link", { name: "Saw the boards" }).waitFor();
    await choose(page, "Done", "Delete Done");
    await eventually(() => columns(page), {
      "No section": ["Saw the boards"],
      "In hand": [],
      Drying: [],
    });
    await page.getByRole("button", { name: "Undo" }).click();
    await eventually(() => storedSections(user), ["In hand", "Done", "Drying"]);
    await page.reload();
    await eventually(() => columns(page), {
      "No section": [],
      "In hand": [],
      Done: ["Saw the boards"],
      Drying: [],
    });
    await page.close();
  });

  it("moves cards by dragging and by keyboard; the task's history says so", async () => {
    const user = somebody();
    const page = await browser.page();
    await openBoard(page, user);
    await addSections(page, "Doing", "Drying");
    const card = page.getByRole("link", { name: "Saw the boards" });
    await card.dragTo(column(page, "Doing"));
    await eventually(async () => (await columns(page))["Doing"], ["Saw the boards"]);
    await card.focus();
    await page.keyboard.press("Alt+ArrowRight");
    await eventually(async () => (await columns(page))["Drying"], ["Saw the boards"]);
    await eventually(() => focused(card), true);
    await eventually(async () => (await stored(user))[0]?.version, 3);
    await page.keyboard.press("Enter");
    const history = page
      .getByRole("complementary", { name: "Task" })
      .getByRole("region", { name: "History" });
    const change = history.locator(".change").filter({ hasText: "Drying" });
    expect(await change.innerText()).toMatch(/section\s+Doing → Drying/);
    await page.getByRole("combobox", { name: "Section" }).selectOption("Doing");
    await eventually(async () => (await columns(page))["Doing"], ["Saw the boards"]);
    await eventually(async () => (await stored(user))[0]?.version, 4);
    await page.getByRole("button", { name: "Close the task" }).click();
    await page.getByRole("button", { name: "Board" }).click();
    await page.getByRole("heading", { level: 2, name: "Doing" }).waitFor();
    await eventually(() => outline(page), ["Saw the boards"]);
    await page.close();
  });
});

describe("the time machine", () => {
  it("shows the whole list as it was, read only, and comes back to now", async () => {
    const user = somebody();
    const page = await browser.page();
    await signedIn(page, user);
    await add(page, "One");
    await eventually(async () => (await stored(user)).length, 1);
    await add(page, "Two");
    await tick(page, "One").check();
    await page.getByRole("link", { name: "One" }).focus();
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: "Edit the title" }).fill("First");
    await page.keyboard.press("Enter");
    await eventually(
      async () => (await stored(user)).map((it) => `${it.title} ${it.version}`),
      ["First 3", "Two 1"],
    );
    await page.getByRole("button", { name: "Time machine" }).click();
    await eventually(() => outline(page), ["First", "Two"]);
    const slider = page.getByRole("slider", { name: "As of" });
    await slider.focus();
    await page.keyboard.press("Home");
    await eventually(() => outline(page), ["One"]);
    expect(await tick(page, "One").isChecked()).toBe(false);
    expect(await tick(page, "One").isDisabled()).toBe(true);
    expect(await quickAdd(page).count()).toBe(0);
    for (const key of ["ArrowDown", "c", "Delete"]) await page.keyboard.press(key);
    await page.reload();
    await eventually(() => outline(page), ["One"]);
    const titles = async () => (await stored(user)).map((it) => it.title);
    expect(await titles()).toEqual(["First", "Two"]);

    await page.getByRole("button", { name: "Now" }).click();
    await eventually(() => outline(page), ["First", "Two"]);
    expect(await tick(page, "First").isChecked()).toBe(true);
    await page.getByRole("button", { name: "Time machine" }).click();
    await quickAdd(page).waitFor();
    expect(await tick(page, "Two").isEnabled()).toBe(true);
    await page.close();
  });
});
