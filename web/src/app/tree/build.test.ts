import { describe, expect, it } from "vitest";

import type { Task } from "../../shared/sync/rows.ts";
import { buildLines, childrenOf, type Choice, type TaskLine } from "./build.ts";
import { dropped, nested, rankAt, shifted, unnested } from "./places.ts";

let clock = 0;

function task(id: string, more: Partial<Task> = {}): Task {
  clock += 1;
  const at = new Date(Date.UTC(2026, 10, 27) + clock * 1000).toISOString();
  return {
    id,
    version: 1,
    title: id,
    description: null,
    status: "pending",
    priority: "medium",
    due: null,
    project_id: null,
    parent_id: null,
    tags: [],
    assignee_id: null,
    blocked_reason: null,
    completed_at: null,
    archived: false,
    deleted: false,
    created_at: at,
    updated_at: at,
    ...more,
  };
}

const table = (...tasks: Task[]) => new Map(tasks.map((it) => [it.id, it]));
const all: Choice = { match: () => true, shows: () => true, collapsed: new Set() };
const outline = (tasks: Map<string, Task>, choice: Choice = all) =>
  buildLines(tasks, choice).map((line) =>
    line.kind === "task"
      ? "  ".repeat(line.depth) + line.id
      : `${line.title} ${line.count}`,
  );

describe("buildLines", () => {
  const tasks = table(
    task("a"),
    task("b"),
    task("a1", { parent_id: "a" }),
    task("a2", { parent_id: "a", status: "completed" }),
    task("a11", { parent_id: "a1" }),
    task("gone", { deleted: true }),
  );

  it("indents subtasks below their parents", () => {
    expect(outline(tasks)).toEqual(["a", "  a1", "    a11", "  a2", "b"]);
  });

  it("counts subtasks, and hides those of a collapsed one", () => {
    const lines = buildLines(tasks, { ...all, collapsed: new Set(["a"]) });
    expect(lines).toMatchObject([
      { id: "a", subtasks: 2, done: 1, collapsed: true },
      { id: "b" },
    ]);
  });

  it("shows a task whose parent is not in the list as a root, and none twice", () => {
    const choice = { ...all, match: (it: Task) => it.id === "a1" || it.id === "a11" };
    expect(outline(tasks, choice)).toEqual(["a1", "  a11"]);
  });

  it("groups roots, and counts what is open", () => {
    const group = (it: Task) =>
      it.id === "b"
        ? { id: "x", title: "First", order: "1" }
        : { id: "y", title: "Then", order: "2" };
    expect(outline(tasks, { ...all, group })).toEqual([
      "First 1",
      "b",
      "Then 3",
      "a",
      "  a1",
      "    a11",
      "  a2",
    ]);
  });

  it("survives a circle, which the server would refuse", () => {
    const circle = table(
      task("x", { parent_id: "y" }),
      task("y", { parent_id: "x" }),
      task("z"),
    );
    expect(outline(circle)).toEqual(["z"]);
  });
});

describe("places", () => {
  const tasks = table(task("a"), task("a1", { parent_id: "a" }), task("b"), task("c"));
  const lines = buildLines(tasks, all);
  const children = childrenOf(tasks.values());
  const line = (id: string) => lines.find((it) => it.id === id) as TaskLine;

  it("moves among siblings only", () => {
    expect(shifted(lines, line("b"), -1)).toEqual({ parent_id: null, before: "a" });
    expect(shifted(lines, line("b"), 1)).toEqual({ parent_id: null, after: "c" });
    expect(shifted(lines, line("a"), -1)).toBeNull();
    expect(shifted(lines, line("a1"), 1)).toBeNull();
  });

  it("nests below the sibling above, and back", () => {
    expect(nested(lines, line("b"))).toEqual({ parent_id: "a" });
    expect(nested(lines, line("a"))).toBeNull();
    expect(unnested(line("a1"), tasks)).toEqual({ parent_id: null, after: "a" });
    expect(unnested(line("a"), tasks)).toBeNull();
  });

  it("drops beside, into and before", () => {
    expect(dropped(lines, "c", 0, 0, children)).toMatchObject({
      parent_id: null,
      before: "a",
    });
    expect(dropped(lines, "c", 1, 0, children)).toMatchObject({
      parent_id: "a",
      before: "a1",
    });
    expect(dropped(lines, "c", 2, 1, children)).toMatchObject({
      parent_id: "a",
      after: "a1",
    });
    expect(dropped(lines, "c", 2, 0, children)).toMatchObject({
      parent_id: null,
      after: "a",
    });
    expect(dropped(lines, "c", 3, 9, children)).toMatchObject({
      parent_id: "b",
      depth: 1,
    });
  });

  it("never drops a task below itself", () => {
    const place = dropped(lines, "a", 2, 5, children);
    expect(place?.parent_id ?? null).toBeNull();
  });

  it("ranks a task between its new neighbours", () => {
    const [a, b, c] = ["a", "b", "c"].map((id) => tasks.get(id) as Task) as [
      Task,
      Task,
      Task,
    ];
    const moved = { ...c, rank: rankAt({ parent_id: null, before: "b" }, [a, b, c]) };
    expect(outline(table(a, b, moved))).toEqual(["a", "c", "b"]);
  });
});
