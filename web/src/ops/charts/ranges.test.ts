import { describe, expect, it } from "vitest";

import { drawn, rangeOf, RANGES, type Range, spanOf, stepOf } from "./ranges.ts";

describe("charts", () => {
  it("take what the address says, or an hour", () => {
    expect(rangeOf("24h")).toBe("24h");
    expect(rangeOf("toString")).toBe("1h");
    expect(rangeOf(null)).toBe("1h");
  });

  it.each(Object.keys(RANGES) as Range[])("ask for few points of %s", (range) => {
    const step = stepOf(range);
    expect(step % (range === "30d" ? 300 : 10)).toBe(0);
    expect(RANGES[range] / step).toBeLessThanOrEqual(180);
  });

  it("ask the same question within a step", () => {
    const at = Date.parse("2026-11-27T18:00:05Z");
    expect(spanOf("15m", at)).toEqual(spanOf("15m", at + 4_000));
    expect(spanOf("15m", at).to).toBe("2026-11-27T18:00:00.000Z");
    expect(spanOf("15m", at).from).toBe("2026-11-27T17:45:00.000Z");
  });

  it("leave gaps", () => {
    const series = {
      metric: "commands" as const,
      unit: "per second",
      step_s: 10,
      points: [
        { at: "1970-01-01T00:00:10Z", value: null },
        { at: "1970-01-01T00:00:20Z", value: 3 },
      ],
    };
    expect(drawn(series)).toEqual({ at: [10, 20], values: [null, 3], highest: 3 });
    expect(drawn({ ...series, points: [] }).highest).toBeNull();
  });
});
