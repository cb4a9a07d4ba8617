import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";

import { add, browsing, row, signedIn, somebody, tick } from "./browser.ts";
import { look as lookAt } from "./looking.ts";

const browser = browsing();

let problems: string[] = [];

async function look(page: Page, name: string): Promise<void> {
  problems.push(...(await lookAt(page, name)));
}

async function furnish(page: Page, deeper = "ArrowRight"): Promise<void> {
  await add(
    page,
    "Return the keys 25 nov 2020",
    "Pack the kitchen today #Lisbon !high",
    "Read: B-trees and LSM trees today #Study",
    "Cancel the electricity contract today #Household",
    "Ask Bea for bubble wrap today @phone @waiting",
    "Call the notary tomorrow 9am #Lisbon !urgent",
    "Plan the garden in 3 days",
    "Buy stamps",
    "Write to the landlord about the deposit, and send the protocol of the handover along with it",
    "Water the plants",
    "Sort the books",
  );
  await row(page, "Sort the books").getByRole("link").focus();
  await page.keyboard.press(`Alt+${deeper}`);
  await tick(page, "Buy stamps").check();
  await page.getByText("live", { exact: true }).waitFor();
  await page.waitForTimeout(500);
}

describe("every page", () => {
  it("has nothing serious against it, at three widths in two themes", async () => {
    const page = await browser.page();
    await page.goto("about:blank");
    await signedIn(page, somebody());
    await furnish(page);
    await look(page, "inbox");
    await page.getByRole("link", { name: "Today" }).first().click();
    await row(page, "Pack the kitchen").getByRole("link").click();
    const panel = page.getByRole("complementary", { name: "Task" });
    await panel.getByRole("button", { name: "Add a description" }).click();
    await panel
      .getByRole("textbox", { name: "Description" })
      .fill("Plates last: they go into the **blue** boxes.\n\n- [ ] tape\n- foam");
    await panel.getByRole("button", { name: "Save" }).click();
    await panel
      .getByRole("textbox", { name: "Add a subtask" })
      .fill("Boxes from the cellar");
    await page.keyboard.press("Enter");
    await panel
      .getByRole("textbox", { name: "Add a subtask" })
      .fill("Wrap the glasses 18:00");
    await page.keyboard.press("Enter");
    await panel.getByRole("checkbox", { name: "Boxes from the cellar" }).check();
    await page.waitForTimeout(800);
    await look(page, "panel");
    await panel.getByRole("button", { name: "Close the task" }).click();
    await page
      .getByRole("textbox", { name: "Add a task" })
      .fill("Call the notary tomorrow 9am #Lisbon !high");
    await look(page, "today");
    await page.getByRole("textbox", { name: "Add a task" }).fill("");
    for (const name of ["Upcoming", "All", "Completed"]) {
      await page
        .getByRole("navigation", { name: "Lists" })
        .getByRole("link", { name })
        .click();
      await page.getByRole("heading", { level: 1, name }).waitFor();
      await look(page, name.toLowerCase());
    }
    await page
      .getByRole("navigation", { name: "Lists" })
      .getByRole("link", { name: "Lisbon" })
      .click();
    await look(page, "project");
    await page.getByRole("button", { name: "Board" }).click();
    await page.getByRole("region", { name: "No section" }).waitFor();
    await page.getByRole("button", { name: "Add a section" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("In hand");
    await page.keyboard.press("Enter");
    const column = page.getByRole("region", { name: "In hand" });
    await page.getByRole("link", { name: "Call the notary" }).dragTo(column);
    await column.getByRole("link", { name: "Call the notary" }).waitFor();
    await look(page, "board");
    await column.getByRole("link", { name: "Call the notary" }).click();
    await page.getByRole("combobox", { name: "Section" }).waitFor();
    await look(page, "panel-section");
    await page.getByRole("button", { name: "Close the task" }).click();
    await page.getByRole("button", { name: "Time machine" }).click();
    await look(page, "time");
    await page.goto(new URL("/search?q=the", page.url()).href);
    await row(page, "Water the plants").waitFor();
    await look(page, "search");
    await page.goto(new URL("/settings", page.url()).href);
    await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
    await look(page, "settings");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    await look(page, "help");
    for (const room of ["audit", "ops"]) {
      await page.goto(new URL(`/${room}`, page.url()).href);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await look(page, room);
    }
    await page.close();
  }, 600_000);

  afterEach(() => {
    expect(problems).toEqual([]);
    problems = [];
  });

  it("is as good before anybody signs in", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await page.getByRole("button", { name: "Continue as ada" }).waitFor();
    await look(page, "signin");
    await page.close();
  }, 120_000);

  it("works from right to left", async () => {
    const page = await browser.page();
    await signedIn(page, somebody());
    await page.evaluate(() => localStorage.setItem("metacortex.direction", "rtl"));
    await page.reload();
    await furnish(page, "ArrowLeft");
    await look(page, "rtl");
    await page.evaluate(() => localStorage.removeItem("metacortex.direction"));
    await page.close();
  }, 120_000);
});
