/** Operations that the generated part of the client does not have yet, in its form. */
import type { schemas } from "@metacortex/client";

interface Parts {
  client?: Sender;
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: object;
  headers?: object;
}
interface Sender {
  get: (options: object) => Promise<unknown>;
  patch: (options: object) => Promise<unknown>;
  delete: (options: object) => Promise<unknown>;
  post: (options: object) => Promise<unknown>;
}
type Verb = "get" | "patch" | "delete" | "post";
interface Answer<D, M = unknown> {
  data: { data: D; meta: M; errors: [] };
}

export const operation =
  <D, M = unknown>(verb: Verb, url: string) =>
  (options: Parts): Promise<Answer<D, M>> => {
    const { client, ...parts } = options;
    if (!client) throw new Error("an operation needs a client");
    const typed = verb === "get" ? {} : { "Content-Type": "application/json" };
    const headers = { ...typed, ...parts.headers };
    const request = { responseType: "json", url, ...parts, headers };
    return client[verb](request) as Promise<Answer<D, M>>;
  };

export interface Me {
  id: string;
  name: string | null;
  avatar_url: string | null;
  time_zone: string | null;
  week_start: "monday" | "sunday" | "saturday";
  theme: "system" | "light" | "dark";
  workspace_id: string;
  role: string;
}

export interface Member {
  id: string;
  name: string | null;
  avatar_url: string | null;
  role: string;
}

export interface Comment {
  id: string;
  task_id: string;
  author: { id: string; name: string | null };
  text: string;
  created_at: string;
  edited_at: string | null;
}

export const getMe = operation<Me>("get", "/me");
export const editMe = operation<Me>("patch", "/me");
export const listMembers = operation<Member[]>("get", "/members");
export const listComments = operation<Comment[]>("get", "/tasks/{id}/comments");
export const editComment = operation<Comment>(
  "patch",
  "/tasks/{id}/comments/{comment_id}",
);
export const deleteComment = operation<Comment>(
  "delete",
  "/tasks/{id}/comments/{comment_id}",
);
export const listSections = operation<unknown[], { sequence: number }>(
  "get",
  "/sections",
);
export const listTasksAsOf = operation<unknown[], { next_cursor: string | null }>(
  "get",
  "/tasks",
);

export type HistoryEntry = schemas.GetTaskHistoryResponses[200]["data"][number];
