/** Where in this room the cause of a reason stands, and its remedy beside it. */
import { ops } from "../shared/i18n/en.ops.ts";

export type Place = keyof typeof ops.remedies;

const CAUSES: Record<string, Place> = {
  database_unreachable: "checks",
  schema_mismatch: "checks",
  workspace_parked: "projections",
  projection_lagging: "projections",
  disk_low: "database",
  broker_unreachable: "checks",
  no_worker: "workers",
  no_scheduler: "workers",
  worker_stalled: "workers",
  queue_growing: "queues",
  failures_open: "failures",
  replica_lagging: "database",
  checkpoint_alarm: "checks",
};

const OPEN = "?show=open"; // of failures, those that wait for somebody

/** A reason that this page does not know yet is among the checks. */
export function causeOf(code: string): { place: Place; to: string; label: string } {
  const place = CAUSES[code] ?? "checks";
  const to = `/ops/${place}${place === "failures" ? OPEN : ""}`;
  return { place, to, label: ops.remedies[place] };
}

/** What an action was done to, by the name of the action. */
export function targetOf(action: string, target: string): string {
  const id = encodeURIComponent(target);
  const [kind] = action.split(".");
  if (kind === "run") return `/ops/runs/${id}`;
  if (kind === "failures") return `/ops/runs?fingerprint=${id}`;
  if (kind === "projection") return `/ops/projections?workspace_id=${id}`;
  return kind === "schedule" ? "/ops/schedules" : "/ops/queues";
}
