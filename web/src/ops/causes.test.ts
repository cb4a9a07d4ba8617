import { describe, expect, it } from "vitest";

import { causeOf, targetOf } from "./causes.ts";
import { changesOf } from "./changes.ts";
import type { Action, FailureGroup, Process } from "./types.ts";

describe("causes", () => {
  it("of unknown reasons are looked for among the checks", () => {
    expect(causeOf("workspace_parked").to).toBe("/ops/projections");
    expect(causeOf("something_new").to).toBe("/ops/checks");
  });

  it.each([
    ["run.retry", "a", "/ops/runs/a"],
    ["failures.discard", "a b", "/ops/runs?fingerprint=a%20b"],
    ["projection.verify", "w", "/ops/projections?workspace_id=w"],
    ["schedule.run", "sweep", "/ops/schedules"],
    ["queue.pause", "imports", "/ops/queues"],
  ])("%s of %s leads to %s", (action, target, path) =>
    expect(targetOf(action, target)).toBe(path),
  );
});

describe("what changed last", () => {
  const action = (id: string, at: string, run_id: string | null = null): Action => ({
    id,
    at,
    actor_id: "olga",
    action: "queue.pause",
    target: "imports",
    ip: null,
    result: "done",
    run_id,
  });
  const failure = { fingerprint: "f", last_at: "2026-11-27T10:00:00.5Z" };
  const process = { id: "p", started_at: "2026-11-27T09:00:00Z", kind: "api" };

  it("is in order of time, and leads to what it tells of", () => {
    const found = changesOf(
      [
        action("a", "2026-11-27T10:00:00.25Z", "r"),
        action("b", "2026-11-27T11:00:00Z"),
      ],
      [{ ...failure, actor: "x", error_type: "E", count: 3 } as FailureGroup],
      [process as Process],
    );
    expect(found.map((it) => it.id)).toEqual(["b", "f", "a", "p"]);
    expect(found.map((it) => it.to).slice(0, 1)).toEqual(["/ops/queues"]);
    expect(found[0]?.words).toBe("olga: Pause imports, done");
    expect(found[2]?.to).toBe("/ops/runs/r");
    expect(found[1]?.words).toBe("x failed with E, 3 times by now");
  });

  it("ends after eight", () => {
    const many = Array.from({ length: 12 }, (_, at) =>
      action(String(at), `2026-11-27T10:00:${String(at).padStart(2, "0")}Z`),
    );
    expect(changesOf(many, [], [])).toHaveLength(8);
  });
});
