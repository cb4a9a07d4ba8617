/** A real Chromium, and pages that note whatever a page must not do. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import {
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { afterAll, beforeAll, expect, inject } from "vitest";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGS = [
  ...[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
  ],
  ...[
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
];
const TIMEOUT_MS = 30_000; // the machine has two cores, and a server on them

export interface Browsing {
  context: BrowserContext;
  /** Complaints of all pages so far; a test that provokes some takes them out. */
  complaints: string[];
  page: () => Promise<Page>;
}

async function launch(folder: string): Promise<Browsing> {
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: CHROMIUM,
    args: ARGS,
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    timezoneId: "Europe/Lisbon",
  });
  context.setDefaultTimeout(TIMEOUT_MS);
  const complaints: string[] = [];
  const { origin } = new URL(inject("web"));
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (/^https?:$/.test(url.protocol) && url.origin !== origin)
      complaints.push(`a request to ${request.url()}`);
  });
  const watch = (page: Page) => {
    page.on("pageerror", (error) => complaints.push(`an error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(`the console: ${message.text()}`);
    });
  };
  context.on("page", watch);
  context.pages().forEach(watch);
  return { context, complaints, page: () => context.newPage() };
}

/** A browser of its own for a file of tests. */
export function browsing(): Browsing {
  const holder = { complaints: [] as string[] } as Browsing;
  const folder = mkdtempSync(join(tmpdir(), "metacortex-chromium-"));
  beforeAll(async () => {
    Object.assign(holder, await launch(folder));
  });
  afterAll(async () => {
    await holder.context.close();
    rmSync(folder, { recursive: true, force: true });
    expect(holder.complaints).toEqual([]);
  });
  return holder;
}

let people = 0;

/** A name that nobody had: a workspace that nobody touched. */
export const somebody = (): string => `p${process.pid}x${++people}x${Date.now() % 1e6}`;

const NO_APP = "/health/live"; // of the app's origin, and nobody is signed in there

/** Signs in as somebody, at a path. */
export async function signedIn(
  page: Page,
  user: string,
  path = "/",
  role = "owner",
): Promise<void> {
  await page.goto(inject("web") + NO_APP);
  await page.evaluate(
    ([key, value]) => localStorage.setItem(key ?? "", value ?? ""),
    ["metacortex.development", JSON.stringify({ user, role })],
  );
  await page.goto(inject("web") + path);
}

export const quickAdd = (page: Page): Locator =>
  page.getByRole("textbox", { name: "Add a task" });

export async function add(page: Page, ...titles: string[]): Promise<void> {
  for (const title of titles) {
    await quickAdd(page).fill(title);
    await quickAdd(page).press("Enter");
  }
}

export const row = (page: Page, title: string): Locator =>
  page
    .getByRole("main")
    .getByRole("listitem")
    .filter({ has: page.getByRole("checkbox", { name: title, exact: true }) });

export const tick = (page: Page, title: string): Locator =>
  page.getByRole("main").getByRole("checkbox", { name: title, exact: true });

export const focused = (one: Locator): Promise<boolean> =>
  one.evaluate((it) => it === document.activeElement);

/** The titles that are drawn, in order, each behind two spaces for each level. */
export async function outline(page: Page): Promise<string[]> {
  return page.getByRole("main").evaluate((main) => {
    const rows = [...main.querySelectorAll("li[aria-level]")].map((row) => ({
      top: row.getBoundingClientRect().top,
      level: Number(row.getAttribute("aria-level")),
      title: row.querySelector("input[type=checkbox]")?.getAttribute("aria-label"),
    }));
    rows.sort((a, b) => a.top - b.top);
    return rows.map(({ level, title }) => "  ".repeat(level - 1) + title);
  });
}

export async function eventually<T>(
  look: () => Promise<T>,
  wanted: T,
  within_ms = 30_000,
): Promise<void> {
  await expect.poll(look, { timeout: within_ms, interval: 100 }).toEqual(wanted);
}

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");

/** Runs `metacortex …` against the server of the tests. */
export async function metacortex(...args: string[]): Promise<string> {
  const env = {
    ...process.env,
    METACORTEX_DATA_DIR: inject("data"),
    ENVIRONMENT: "development",
  };
  const { stdout } = await run(join(ROOT, ".venv/bin/metacortex"), args, {
    env,
    cwd: ROOT,
  });
  return stdout.trim();
}

interface Listed {
  data: {
    id: string;
    title: string;
    status: string;
    parent_id: string | null;
    version: number;
  }[];
}

const tokens = new Map<string, Promise<string>>();

async function makeToken(user: string, role: string): Promise<string> {
  const answer = await fetch(`${inject("api")}/dev/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user, role }),
  });
  return ((await answer.json()) as { data: { token: string } }).data.token;
}

/** Somebody's token, from the development issuer; made once. */
export function tokenOf(user: string, role = "owner"): Promise<string> {
  const key = `${user} ${role}`;
  const made = tokens.get(key) ?? makeToken(user, role);
  tokens.set(key, made);
  made.catch(() => tokens.delete(key)); // the server may be away just now
  return made;
}

/** What the server itself has, oldest first. */
export async function stored(user: string): Promise<Listed["data"]> {
  const token = await tokenOf(user);
  const url = `${inject("api")}/api/v1/tasks?sort=created_at&per_page=200`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  return ((await answer.json()) as Listed).data;
}
