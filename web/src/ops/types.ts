/**
 * What `/ops` answers. By hand until the generated client has these operations; then
 * this file goes. Times are RFC 3339; null is what is not known, or not yet.
 */

export type Outcome =
  "queued" | "running" | "succeeded" | "retrying" | "crashed" | "failed" | "discarded";

export type MetricName =
  "commands" | "events" | "lag_s" | "failures" | "queue_depth" | "request_p99_ms";

export interface Reason {
  code: string;
  title: string;
  detail: string;
  since: string;
  /** The paragraph of the runbook, from the root of the repository. */
  link: string;
}

export interface Overview {
  verdict: "healthy" | "degraded" | "failing";
  reasons: Reason[];
  now: {
    commands_per_s: number | null;
    events_per_s: number | null;
    requests_per_s: number | null;
    p99_ms: number | null;
  };
  lag: { behind: number; oldest_s: number; parked: number } | null;
  failures: { open: number; new_last_hour: number } | null;
  workers: { alive: number; stalled: number } | null;
  queues: { ready: number | null; delayed: number | null; dead: number | null };
  storage: { database_bytes: number; log_events: number } | null;
}

export interface Series {
  metric: MetricName;
  unit: string;
  step_s: number;
  points: { at: string; value: number | null }[];
}

export interface Progress {
  done: number;
  total: number;
}

export interface RunError {
  type: string;
  message: string;
  fingerprint: string;
  traceback: string | null;
}

export interface Run {
  id: string;
  actor: string;
  queue: string;
  message_id: string;
  arguments: unknown;
  workspace_id: string | null;
  enqueued_at: string;
  started_at: string | null;
  finished_at: string | null;
  duration_ms: number | null;
  attempt: number;
  max_attempts: number;
  outcome: Outcome;
  /** It failed for good, and nobody has retried or discarded it. */
  open: boolean;
  worker: string | null;
  progress: Progress | null;
  correlation_id: string | null;
  command_id: string | null;
  error: RunError | null;
  retry_of: string | null;
  next_attempt_at: string | null;
}

export interface CommandTrace {
  workspace_id: string;
  command_id: string;
  type: string;
  outcome: "applied" | "unchanged" | "refused";
  error_code: string | null;
  recorded_at: string;
  first_sequence: number | null;
  last_sequence: number | null;
}

export interface EventTrace {
  workspace_id: string;
  sequence: number;
  type: string;
  event_id: string;
  command_id: string;
  recorded_at: string;
}

export interface ProjectionTrace {
  workspace_id: string;
  head: number;
  checkpoint: number;
  behind: number;
  /** Whether the read tables are as far as the events of the correlation. */
  shows_events: boolean;
  parked_at: string | null;
}

export interface RunStory extends Run {
  attempts: Run[];
  commands: CommandTrace[];
  events: EventTrace[];
  projections: ProjectionTrace[];
  related: Run[];
  actions: Action[];
}

export interface FailureGroup {
  fingerprint: string;
  actor: string;
  error_type: string;
  message: string;
  first_at: string;
  last_at: string;
  count: number;
  open: number;
  sample_run_id: string;
}

export interface Schedule {
  name: string;
  cron: string | null;
  interval_s: number | null;
  time_zone: string;
  actor: string;
  paused: boolean;
  last_run: string | null;
  next_at: string | null;
  missed: "run_once" | "skip";
}

export interface Queue {
  name: string;
  paused: boolean;
  ready: number | null;
  delayed: number | null;
  running: number;
  dead: number | null;
  oldest_age_s: number | null;
  per_minute: number;
}

export interface Process {
  id: string;
  host: string;
  pid: number;
  kind: "api" | "worker" | "scheduler";
  version: string;
  started_at: string;
  seen_at: string;
  queues: string[];
  running: { run_id: string; actor: string; started_at: string }[];
  rss_bytes: number;
  loop_delay_ms: number;
  state: "alive" | "stalled" | "gone";
}

export interface Projection {
  workspace_id: string;
  head: number;
  checkpoint: number;
  behind: number;
  lag_s: number;
  parked: { sequence: number; error: string; since: string } | null;
  rebuilds: number;
  rebuilding: (Progress & { eta_s: number | null }) | null;
}

export interface Check {
  check: string;
  status: "ok" | "warning" | "failing" | "skipped";
  detail: string;
  remedy: string | null;
}

export interface Action {
  id: string;
  at: string;
  actor_id: string;
  action: string;
  target: string;
  ip: string | null;
  result: string;
  run_id: string | null;
}

export interface Database {
  version: string;
  bytes: number;
  max_connections: number;
  connections: { login: string; state: string; count: number }[];
  tables: {
    table: string;
    bytes: number;
    index_bytes: number;
    rows: number;
    dead_rows: number;
    vacuumed_at: string | null;
  }[];
  slow_statements:
    { statement: string; calls: number; mean_ms: number; total_ms: number }[] | null;
}

export interface Paged {
  next_cursor: string | null;
}
