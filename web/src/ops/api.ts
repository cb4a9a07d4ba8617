/** What an operator can do; each answers with the row that `/ops/actions` then lists. */
import { type Client, operations, type ResultOf } from "@metacortex/client";

type Result = Promise<ResultOf<typeof operations.retryRun>>;

export const ACTS = {
  "run.retry": (client: Client, id: string): Result =>
    client.command(operations.retryRun, { path: { id } }),
  "run.discard": (client: Client, id: string): Result =>
    client.command(operations.discardRun, { path: { id } }),
  "failures.retry": (client: Client, fingerprint: string): Result =>
    client.command(operations.retryFailures, { path: { fingerprint } }),
  "failures.discard": (client: Client, fingerprint: string): Result =>
    client.command(operations.discardFailures, { path: { fingerprint } }),
  "schedule.run": (client: Client, name: string): Result =>
    client.command(operations.startSchedule, { path: { name } }),
  "schedule.pause": (client: Client, name: string): Result =>
    client.command(operations.pauseSchedule, { path: { name } }),
  "schedule.resume": (client: Client, name: string): Result =>
    client.command(operations.resumeSchedule, { path: { name } }),
  "queue.pause": (client: Client, name: string): Result =>
    client.command(operations.pauseQueue, { path: { name } }),
  "queue.resume": (client: Client, name: string): Result =>
    client.command(operations.resumeQueue, { path: { name } }),
  "projection.retry": (client: Client, workspace_id: string): Result =>
    client.command(operations.retryProjection, { path: { workspace_id } }),
  "projection.rebuild": (client: Client, workspace_id: string): Result =>
    client.command(operations.rebuildProjection, { path: { workspace_id } }),
  "projection.verify": (client: Client, workspace_id: string): Result =>
    client.command(operations.verifyProjection, { path: { workspace_id } }),
} as const;

export type Act = keyof typeof ACTS;

/** Where server-sent events come from. */
export const STREAM = "/ops/stream";
