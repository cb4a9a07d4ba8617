/** A real server for all tests, with data of its own; it serves the app as committed. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    web: string;
    api: string;
    data: string;
    supervisor: number;
  }
}

const ROOT = resolve(import.meta.dirname, "../..");
const READY_S = 60;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function ready(url: string, process: ChildProcess, log: string): Promise<void> {
  for (let tries = 0; tries < READY_S * 4; tries++) {
    if (process.exitCode !== null) break;
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await sleep(250);
  }
  throw new Error(`${url} is not there:\n${readFileSync(log, "utf8").slice(-2000)}`);
}

function start(
  command: string,
  args: string[],
  log: string,
  env: NodeJS.ProcessEnv,
  cwd: string,
) {
  const out = openSync(log, "a");
  return spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", out, out],
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  await ended;
}

export default async function setup(project: TestProject) {
  const data = mkdtempSync(join(tmpdir(), "metacortex-web-"));
  const port = await freePort();
  const api = `http://127.0.0.1:${port}`;
  const env = { METACORTEX_DATA_DIR: data, ENVIRONMENT: "development" };
  const up = start(
    join(ROOT, ".venv/bin/python"),
    ["-m", "tests.faulty", "up", "--port", String(port)], // with jobs that can fail
    join(data, "up.log"),
    env,
    ROOT,
  );
  await ready(`${api}/health/ready`, up, join(data, "up.log"));
  project.provide("web", api); // it serves the app as well
  project.provide("api", api);
  project.provide("data", data);
  project.provide("supervisor", up.pid ?? 0);
  return async () => {
    await stop(up);
    rmSync(data, { recursive: true, force: true });
  };
}

/** Redis writes what it does behind its name. */
const isProgram = (command: string | undefined, name: string): boolean =>
  command?.split(" ")[0]?.endsWith(`/${name}`) ?? false;

/** The process below another whose command line has a word: the API, or Redis. */
export function childOf(parent: number, word: string): number {
  for (const name of readdirSync("/proc").filter((it) => /^\d+$/.test(it))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      if (!status.includes(`PPid:\t${parent}\n`)) continue;
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      if (line.includes(word) || isProgram(line[0], word)) return Number(name);
    } catch {
      continue; // it ended while we looked
    }
  }
  throw new Error(`${parent} has no child ${word}`);
}
