/**
 * Stands in for `POST /dev/token` and `GET /api/v1/meta/client` of a server that does not
 * have them yet, by way of `metacortex token`. Not part of the product.
 */
import { execFile } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { resolve } from "node:path";
import { promisify } from "node:util";

const COMMAND =
  process.env.METACORTEX_CLI ??
  resolve(import.meta.dirname, "../../.venv/bin/metacortex");
const TTL_S = 600; // the product's own development tokens are short as well

interface Asked {
  user: string;
  workspace?: string;
  role?: string;
}

type Next = () => void;

const CLIENT = {
  version: "0",
  issuer: "development",
  clerk_publishable_key: null,
  environment: "development",
  features: [],
};

async function lacks(url: string, method: string): Promise<boolean> {
  try {
    return (await fetch(url, { method })).status === 404;
  } catch {
    return false;
  }
}

async function body(request: IncomingMessage): Promise<Asked> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as Asked;
}

async function token(asked: Asked): Promise<unknown> {
  const args = ["token", "--user", asked.user, "--ttl", String(TTL_S)];
  if (asked.workspace) args.push("--workspace", asked.workspace);
  if (asked.role && (asked.workspace || asked.role !== "owner"))
    args.push("--role", asked.role);
  const { stdout } = await promisify(execFile)(COMMAND, args);
  const made = stdout.trim();
  return {
    token: made,
    expires_at: Math.floor(Date.now() / 1000) + TTL_S,
    user_id: `user_${asked.user}`,
    workspace_id: "",
    role: asked.role ?? "owner",
  };
}

function send(response: ServerResponse, status: number, data: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ data, meta: {}, errors: [] }));
}

async function answer(
  api: string,
  request: IncomingMessage,
  response: ServerResponse,
  next: Next,
) {
  if (request.url === "/dev/token" && request.method === "POST") {
    if (!(await lacks(`${api}/dev/token`, "POST"))) return next();
    return send(response, 200, await token(await body(request)));
  }
  if (request.url === "/api/v1/meta/client") {
    if (!(await lacks(`${api}/api/v1/meta/client`, "GET"))) return next();
    return send(response, 200, CLIENT);
  }
  next();
}

export function developmentIssuer(api: string) {
  return (
    request: IncomingMessage,
    response: ServerResponse,
    next: (error?: unknown) => void,
  ) => {
    answer(api, request, response, () => next()).catch(next);
  };
}
