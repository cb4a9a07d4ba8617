/** The operations under `/ops`, in the form of the generated ones. */
import { operation } from "../shared/api/operations.ts";
import type {
  Action,
  Check,
  Database,
  FailureGroup,
  Overview,
  Paged,
  Process,
  Projection,
  Queue,
  Run,
  RunStory,
  Schedule,
  Series,
} from "./types.ts";

export const getOverview = operation<Overview>("get", "/ops/overview");
export const getSeries = operation<Series>("get", "/ops/series");
export const listRuns = operation<Run[], Paged>("get", "/ops/runs");
export const getRun = operation<RunStory>("get", "/ops/runs/{id}");
export const listFailures = operation<FailureGroup[], Paged>("get", "/ops/failures");
export const listSchedules = operation<Schedule[]>("get", "/ops/schedules");
export const listQueues = operation<Queue[]>("get", "/ops/queues");
export const listWorkers = operation<Process[]>("get", "/ops/workers");
export const listProjections = operation<Projection[], Paged>(
  "get",
  "/ops/projections",
);
export const listChecks = operation<Check[]>("get", "/ops/checks");
export const getDatabase = operation<Database>("get", "/ops/database");
export const listActions = operation<Action[], Paged>("get", "/ops/actions");

/** Where server-sent events come from. */
export const STREAM = "/ops/stream";

/** What an operator can do; each answers with the row that `/ops/actions` then lists. */
export const ACTS = {
  "run.retry": operation<Action>("post", "/ops/runs/{id}/retry"),
  "run.discard": operation<Action>("post", "/ops/runs/{id}/discard"),
  "failures.retry": operation<Action>("post", "/ops/failures/{id}/retry"),
  "failures.discard": operation<Action>("post", "/ops/failures/{id}/discard"),
  "schedule.run": operation<Action>("post", "/ops/schedules/{id}/run"),
  "schedule.pause": operation<Action>("post", "/ops/schedules/{id}/pause"),
  "schedule.resume": operation<Action>("post", "/ops/schedules/{id}/resume"),
  "queue.pause": operation<Action>("post", "/ops/queues/{id}/pause"),
  "queue.resume": operation<Action>("post", "/ops/queues/{id}/resume"),
  "projection.retry": operation<Action>("post", "/ops/projections/{id}/retry"),
  "projection.rebuild": operation<Action>("post", "/ops/projections/{id}/rebuild"),
  "projection.verify": operation<Action>("post", "/ops/projections/{id}/verify"),
} as const;

export type Act = keyof typeof ACTS;
