import { describe, expect, it } from "vitest";

import { addressOf, isFiltered, queryOf, toInstant, toLocal } from "./filters.ts";

describe("a search for runs", () => {
  it("stands in the address, and only what the API knows is asked", () => {
    const address = new URLSearchParams(
      "q=a+b&outcome=failed&theme=x&cursor=c&worker=w&to=",
    );
    expect(queryOf(address)).toEqual({
      q: "a b",
      outcome: "failed",
      cursor: "c",
      worker: "w",
    });
  });

  it("begins anew when it changes, and forgets what is empty", () => {
    const before = new URLSearchParams("q=old&cursor=c&queue=imports");
    const next = addressOf(before, { q: "  ", actor: " rebuild " });
    expect(next.toString()).toBe("queue=imports&actor=rebuild");
  });

  it("knows whether it asks for anything", () => {
    expect(isFiltered(new URLSearchParams("cursor=c"))).toBe(false);
    expect(isFiltered(new URLSearchParams("open=true"))).toBe(true);
  });

  it("keeps an instant over the box that edits it", () => {
    const instant = "2026-11-27T18:24:12.000Z";
    expect(toInstant(toLocal(instant))).toBe(instant);
    expect(toLocal("nonsense")).toBe("");
    expect(toInstant("")).toBe("");
  });
});
