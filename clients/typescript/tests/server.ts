/** Real processes: everything that `metacortex up` starts, and API processes of a test's own. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const METACORTEX = `${ROOT}/.venv/bin/metacortex`;
const START_MS = 90_000; // a cold start on a busy machine; the usual one takes ten seconds
const TERMINATED_MS = 30_000;

/** What an installation in `folder` is told; services that the shell names are left alone. */
export function environ(folder: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.includes('_URL'));
  return { ...Object.fromEntries(kept), METACORTEX_DATA_DIR: folder, ENVIRONMENT: 'development' };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** One command of `metacortex` that stays. */
export class Program {
  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
    private readonly said: () => string,
  ) {}

  static async start(
    command: 'up' | 'api',
    folder: string,
    port: number,
    more: NodeJS.ProcessEnv = {},
  ): Promise<Program> {
    const arguments_ = [command, '--port', String(port)];
    const child = spawn(METACORTEX, arguments_, {
      cwd: ROOT,
      env: { ...environ(folder), ...more },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        said = (said + text.toString()).slice(-20_000);
      });
    const program = new Program(child, port, () => said);
    await program.#ready();
    return program;
  }

  get baseURL(): string {
    return `http://127.0.0.1:${String(this.port)}/api/v1`;
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error('It did not start');
    return this.process.pid;
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async end(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    const late = setTimeout(() => this.process.kill('SIGKILL'), TERMINATED_MS);
    await ended;
    clearTimeout(late);
  }

  async #ready(): Promise<void> {
    const url = `http://127.0.0.1:${String(this.port)}/health/ready`;
    const until = Date.now() + START_MS;
    while (Date.now() < until) {
      if (this.process.exitCode !== null) break;
      const answer = await fetch(url).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await this.kill();
    throw new Error(`It did not start:\n${this.said()}`);
  }
}

/** Whose token; the names that `metacortex token` takes. */
export interface Whose {
  user: string;
  workspace?: string;
  role?: 'owner' | 'member' | 'auditor' | 'operator';
  ttl_s?: number;
}

const ISSUER = `
import json, sys
from metacortex.api.app import local_issuer
from metacortex.api.auth import Role
from metacortex.settings import load_settings

issuer = local_issuer(load_settings())
for line in sys.stdin:
    asked = json.loads(line)
    role = Role(asked.pop("role", "owner"))
    print(issuer.token(**asked, role=role), flush=True)
`;

/** The development issuer of the installation in `folder`; it ends with this process. */
export class Issuer {
  readonly #process;
  readonly #lines;

  constructor(folder: string) {
    const python = `${ROOT}/.venv/bin/python`;
    this.#process = spawn(python, ['-c', ISSUER], { cwd: ROOT, env: environ(folder) });
    this.#process.stderr.pipe(process.stderr);
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  async token(whose: Whose): Promise<string> {
    this.#process.stdin.write(`${JSON.stringify(whose)}\n`);
    const line: IteratorResult<string, unknown> = await this.#lines.next();
    if (line.done) throw new Error('The issuer has ended');
    return line.value;
  }
}

/** The processes that a process has started, by the last word of their command line. */
export function children(pid: number): Map<string, number> {
  const listed = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8');
  const pids = listed.trim().split(' ').map(Number);
  return new Map(pids.map((child) => [commandOf(child), child]));
}

/** The command of `python -m metacortex`, of another program its last word. */
function commandOf(pid: number): string {
  const words = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
    .split('\0')
    .filter(Boolean);
  const ours = words.indexOf('metacortex');
  return words.at(ours < 0 ? -1 : ours + 1) ?? '';
}
