/** What the pages ask, and under which keys the answers are kept. */
export type Question =
  | "overview"
  | "series"
  | "runs"
  | "run"
  | "failures"
  | "schedules"
  | "queues"
  | "workers"
  | "projections"
  | "checks"
  | "database"
  | "actions";

export const keyOf = (name: Question, parts: object = {}) =>
  ["ops", name, ...(Object.keys(parts).length > 0 ? [parts] : [])] as const;
