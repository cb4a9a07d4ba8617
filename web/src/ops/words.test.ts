import { describe, expect, it } from "vitest";

import { ago, ahead, bytes, rate, short, span, took } from "./words.ts";

describe("words of operations", () => {
  it.each([
    [0, "0 s"],
    [0.0004, "1 ms"],
    [0.038, "38 ms"],
    [1.25, "1.2 s"],
    [9.99, "9.9 s"],
    [14.7, "14 s"],
    [359, "5 min"],
    [7_199, "1 h"],
    [200_000, "2 d"],
  ])("%d s is %s", (seconds, words) => expect(span(seconds)).toBe(words));

  it.each([
    [null, "–"],
    [0, "0"],
    [0.04, "0.04"],
    [3.24, "3.2"],
    [1870.4, "1,870"],
  ])("%s is %s", (value, words) => expect(rate(value)).toBe(words));

  it("sizes are decimal", () => {
    expect(bytes(999)).toBe("999 B");
    expect(bytes(8_797_543)).toBe("8.8 MB");
    expect(bytes(126_664_704)).toBe("127 MB");
    expect(bytes(5e15)).toBe("5,000 TB");
  });

  it("time goes both ways", () => {
    expect(ago(1_000, 2_500)).toBe("now");
    expect(ago(1_000, 61_000)).toBe("1 min ago");
    expect(ahead(5_000, 1_000)).toBe("in 4 s");
    expect(ahead(1_000, 5_000)).toBe("now");
    expect(took(null)).toBe("–");
    expect(took(1250)).toBe("1.2 s");
  });

  it("shortens ids, not names", () => {
    expect(short("0199d2c4-7a10-7d02-8c11-5f0e2b9a4d01")).toBe("…2b9a4d01");
    expect(short("maintenance")).toBe("maintenance");
  });
});
