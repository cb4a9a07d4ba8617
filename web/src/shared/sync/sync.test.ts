import { describe, expect, it } from "vitest";

import { head, inverse, isOpenChange, type Pending } from "./pending.ts";
import { Replica } from "./replica.ts";
import type { Document, Row, Task } from "./rows.ts";

const task = (id: string, version: number, title: string): Task =>
  ({ id, version, title, deleted: false }) as Task;

const shown = (id: string, version: number, title: string): Document => ({
  type: "task",
  data: task(id, version, title),
});

let n = 0;

function pending(more: Partial<Pending> = {}): Pending {
  n += 1;
  return {
    n,
    id: `command-${n}`,
    group: null,
    undoes: null,
    command: { type: "task.edit", target: "a", args: {} },
    label: "Edited",
    patches: [{ type: "task", id: "a", set: { title: "Mine" } }],
    inverse: [],
    state: "waiting",
    sequence: 0,
    refusal: null,
    at: 0,
    ...more,
  };
}

const title = (replica: Replica, id = "a") => replica.row("task", id)?.title;

describe("the copy", () => {
  it("keeps the higher version, in whatever order rows come", () => {
    const replica = new Replica();
    replica.take([shown("a", 3, "Third")], 3);
    replica.take([shown("a", 2, "Second")], 4);
    expect(title(replica)).toBe("Third");
    expect(replica.sequence).toBe(4);
  });

  it("lays changes over the rows until the log that it follows has them", () => {
    const replica = new Replica();
    replica.take([shown("a", 1, "Theirs")], 1);
    replica.overlay([pending()]);
    expect(title(replica)).toBe("Mine");
    replica.overlay([pending({ state: "sent", sequence: 3 })]);
    replica.take([shown("a", 2, "Another's")], 2);
    expect(title(replica)).toBe("Mine");
    replica.take([shown("a", 3, "Mine, says the server")], 3);
    expect(title(replica)).toBe("Mine, says the server");
    expect(replica.snapshot().pending).toEqual([]);
  });

  it("lays them in the order in which they were made", () => {
    const replica = new Replica();
    replica.take([shown("a", 1, "Theirs")], 1);
    const second = { type: "task" as const, id: "a", set: { title: "Second" } };
    replica.overlay([pending(), pending({ patches: [second] })]);
    expect(title(replica)).toBe("Second");
  });

  it("takes a refused change off, and keeps it for its reason", () => {
    const replica = new Replica();
    replica.take([shown("a", 1, "Theirs")], 1);
    const refusal = { code: "not_found", title: "There is none", detail: "" };
    replica.overlay([pending({ state: "refused", refusal })]);
    expect(title(replica)).toBe("Theirs");
    expect(replica.snapshot().pending).toHaveLength(1);
  });

  it("shows what is created at once, and edits of it", () => {
    const replica = new Replica();
    const set = { ...task("b", 0, "New") };
    replica.overlay([
      pending({ patches: [{ type: "task", id: "b", set }] }),
      pending({ patches: [{ type: "task", id: "b", set: { title: "Newer" } }] }),
    ]);
    expect(title(replica, "b")).toBe("Newer");
  });

  it("shows what is created after all that the server has made, whatever its clock says", () => {
    const replica = new Replica();
    const creates = (id: string, created_at: string) => {
      const set = { ...task(id, 0, id), created_at };
      return pending({ patches: [{ type: "task", id, set }] });
    };
    const created = (id: string) => replica.row("task", id)?.created_at;
    const confirmed = {
      ...task("a", 1, "a"),
      created_at: "2026-11-27T10:00:00.999999Z",
    };
    replica.take([{ type: "task", data: confirmed }], 1);
    replica.overlay([
      creates("b", "2026-11-27T10:00:00.100Z"),
      creates("c", "2026-11-27T10:00:00.200Z"),
      creates("d", "2026-11-27T10:00:02.000Z"),
    ]);
    expect(created("b")).toBe("2026-11-27T10:00:01.000000Z");
    expect(created("c")).toBe("2026-11-27T10:00:01.000001Z");
    expect(created("d")).toBe("2026-11-27T10:00:02.000Z");
  });

  it("makes nothing up for a row that it does not have", () => {
    const replica = new Replica();
    replica.overlay([pending()]);
    expect(replica.row("task", "a")).toBeUndefined();
  });

  it("tells listeners, and gives the same snapshot until something changes", () => {
    const replica = new Replica();
    let told = 0;
    const stop = replica.subscribe(() => (told += 1));
    const before = replica.snapshot();
    expect(replica.snapshot()).toBe(before);
    replica.take([shown("a", 1, "One")], 1);
    expect(replica.snapshot()).not.toBe(before);
    stop();
    replica.clear();
    expect(told).toBe(1);
    expect(replica.row("task", "a")).toBeUndefined();
  });
});

describe("the queue", () => {
  it("sends what is single together, up to a limit", () => {
    const queue = [
      pending({ state: "sent" }),
      pending({ state: "sending" }),
      pending(),
      pending(),
    ];
    expect(head(queue, 2)).toEqual(queue.slice(1, 3));
  });

  it("sends a group by itself", () => {
    const queue = [pending({ group: "g" }), pending({ group: "g" }), pending()];
    expect(head(queue, 100)).toEqual(queue.slice(0, 2));
    expect(head([queue[2] as Pending, ...queue.slice(0, 2)], 100)).toEqual([queue[2]]);
  });

  it("sends an undo by itself, after what it undoes", () => {
    const queue = [pending(), pending({ undoes: "command" }), pending()];
    expect(head(queue, 100)).toEqual([queue[0]]);
    expect(head(queue.slice(1), 100)).toEqual([queue[1]]);
  });

  it("leaves out what was refused", () => {
    expect(head([pending({ state: "refused" })], 100)).toEqual([]);
  });
});

describe("inverse", () => {
  const rows = new Map<string, Row>([["a", task("a", 1, "Before")]]);
  const find = (_type: string, id: string) => rows.get(id);

  it("brings fields back", () => {
    const patches = [{ type: "task" as const, id: "a", set: { title: "After" } }];
    expect(inverse(patches, find)).toEqual([
      { type: "task", id: "a", set: { title: "Before" } },
    ]);
  });

  it("deletes what was created", () => {
    const patches = [
      { type: "task" as const, id: "b", set: { ...task("b", 0, "New") } },
    ];
    expect(inverse(patches, find)).toEqual([
      { type: "task", id: "b", set: { deleted: true } },
    ]);
  });
});

describe("isOpenChange", () => {
  it.each([
    ["waiting", 0, true],
    ["sending", 0, true],
    ["sent", 6, true],
    ["sent", 5, false],
    ["refused", 0, false],
  ] as const)("%s at %d, when 5 is shown: %s", (state, sequence, open) => {
    expect(isOpenChange(pending({ state, sequence }), 5)).toBe(open);
  });
});
