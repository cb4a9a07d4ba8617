/** The operators' room as a walk sees it, and what only the machine's owner can do. */
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import type { Locator, Page } from "playwright-core";
import { inject } from "vitest";

import { signedIn, tokenOf } from "./browser.ts";

const run = promisify(execFile);
export const ROOT = resolve(import.meta.dirname, "../..");

/** As the owner of the data: what a worker would have written, or broken. */
export async function sql(statement: string): Promise<string> {
  const place = ["-h", join(inject("data"), "run"), "-U", "postgres"];
  const { stdout } = await run("psql", [
    ...place,
    ...["-d", "metacortex", "-v", "ON_ERROR_STOP=1", "-qAtc", statement],
  ]);
  return stdout.trim();
}

const OPERATOR = "olga"; // who has no workspace, and so may come again

/** Signs in as an operator, at a page of the room. */
export async function ops(page: Page, path = ""): Promise<void> {
  await signedIn(page, OPERATOR, `/ops${path}`, "operator");
  await page.getByRole("heading", { level: 1 }).waitFor();
}

export const main = (page: Page): Locator => page.getByRole("main");

export const rowOf = (page: Page, name: string | RegExp): Locator =>
  main(page).getByRole("row").filter({ hasText: name });

export async function confirm(page: Page, label: string): Promise<void> {
  await page.getByRole("dialog").getByRole("button", { name: label }).click();
}

async function asked(path: string, method: string): Promise<Response> {
  const headers = { authorization: `Bearer ${await tokenOf(OPERATOR, "operator")}` };
  return fetch(`${inject("api")}/api/v1/ops/${path}`, { headers, method });
}

/** How many rows a list of the operators' API has. */
export async function count(path: string): Promise<number> {
  const { data } = (await (await asked(path, "GET")).json()) as { data: unknown[] };
  return data.length;
}

/** Closes what other walks left open, so that the verdict is of this one's faults. */
export async function discardOpen(): Promise<void> {
  const answer = await asked("failures?open=true", "GET");
  const { data } = (await answer.json()) as { data: { fingerprint: string }[] };
  for (const group of data) await act(`failures/${group.fingerprint}/discard`);
}

/** Acts as an operator who does not use the room. */
export async function act(path: string): Promise<void> {
  const answer = await asked(path, "POST");
  if (!answer.ok) throw new Error(await answer.text());
}
