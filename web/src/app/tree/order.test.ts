import { describe, expect, it } from "vitest";

import { between, inOrder, rankOf } from "./order.ts";

const task = (id: string, created_at: string, rank: string | null = null) => ({
  id,
  created_at,
  rank,
});

describe("between", () => {
  it.each([
    ["", ""],
    ["V", ""],
    ["", "V"],
    ["A", "B"],
    ["A", "A1"],
    ["Az", "B"],
    ["zz", ""],
    ["", "01"],
  ])("%s and %s", (before, after) => {
    const found = between(before, after);
    expect(found > before).toBe(true);
    if (after) expect(found < after).toBe(true);
    expect(found.endsWith("0")).toBe(false);
  });

  it("finds room a thousand times at one place", () => {
    let after = between("", "");
    const before = "";
    for (let times = 0; times < 1000; times++) {
      const found = between(before, after);
      expect(found < after && found > before).toBe(true);
      after = found;
    }
  });
});

describe("inOrder", () => {
  it("sorts what was never moved by creation", () => {
    const tasks = [
      task("b", "2026-11-27T10:00:00.000002Z"),
      task("a", "2026-11-27T10:00:00.000002Z"),
      task("c", "2026-11-27T10:00:00.000001Z"),
    ];
    expect(tasks.sort(inOrder).map((it) => it.id)).toEqual(["c", "a", "b"]);
  });

  it("puts what was moved between those that were not", () => {
    const first = task("a", "2026-11-27T10:00:00.000001Z");
    const last = task("b", "2026-11-27T10:00:00.000005Z");
    const moved = task(
      "c",
      "2020-01-01T00:00:00Z",
      between(rankOf(first), rankOf(last)),
    );
    expect([last, moved, first].sort(inOrder)).toEqual([first, moved, last]);
  });
});
