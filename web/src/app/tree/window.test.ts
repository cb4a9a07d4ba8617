import { describe, expect, it } from "vitest";

import { rangeAt, scrollBy } from "./window.ts";

const HEIGHT = 36;
const SIZE = 720; // twenty rows

describe("rows that are drawn", () => {
  it("are those that can be seen, and twelve around", () => {
    expect(rangeAt(0, SIZE, HEIGHT)).toEqual({ first: 0, end: 32 });
    expect(rangeAt(100 * HEIGHT, SIZE, HEIGHT)).toEqual({ first: 88, end: 132 });
  });
  it("count a row that is seen in part", () => {
    expect(rangeAt(100 * HEIGHT + 1, SIZE, HEIGHT)).toEqual({ first: 88, end: 133 });
  });
  it("begin with the first where the list stands below other things", () => {
    expect(rangeAt(-100, SIZE, HEIGHT)).toEqual({ first: 0, end: 30 });
    expect(rangeAt(-5000, SIZE, HEIGHT)).toEqual({ first: 0, end: 0 });
  });
});

describe("a row that is scrolled to", () => {
  it("moves nothing where it can be seen", () => {
    expect(scrollBy(5, 0, SIZE, HEIGHT)).toBe(0);
  });
  it("comes in from below, clear of the bars there", () => {
    expect(scrollBy(20, 0, SIZE, HEIGHT)).toBe(20 * HEIGHT + HEIGHT + 90 - SIZE);
  });
  it("comes in from above, clear of the edge", () => {
    expect(scrollBy(3, 10 * HEIGHT, SIZE, HEIGHT)).toBe(-7 * HEIGHT - 60);
  });
});
