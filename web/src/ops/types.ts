/** What `/ops` answers, by the names that this room uses; the client has the types. */
import type { schemas } from "@metacortex/client";

export type Action = schemas.Action;
export type Check = schemas.OpsCheck;
export type CommandTrace = schemas.CommandTrace;
export type Database = schemas.Database;
export type EventTrace = schemas.EventTrace;
export type FailureGroup = schemas.FailureGroup;
export type Outcome = Run["outcome"];
export type Overview = schemas.Overview;
export type Process = schemas.Process;
export type Progress = schemas.Progress;
export type Projection = schemas.ProjectionLag;
export type ProjectionTrace = schemas.ProjectionTrace;
export type Queue = schemas.Queue;
export type Reason = schemas.OpsReason;
export type Run = schemas.Run;
export type RunError = schemas.RunError;
export type RunStory = schemas.RunStory;
export type Schedule = schemas.Schedule;
export type Series = schemas.Series;
export type MetricName = Series["metric"];
export type Paged = Pick<schemas.RunPage["meta"], "next_cursor">;
