import { describe, expect, it } from "vitest";

import { addDays, addMonths, dayOf, daysBetween, wallClock, weekday } from "./days.ts";
import { dayName, dueWords, instantWords } from "./words.ts";

describe("days", () => {
  it("count over months, years and clock changes", () => {
    expect(addDays("2026-12-31", 1)).toBe("2027-01-01");
    expect(addDays("2026-03-28", 2)).toBe("2026-03-30");
    expect(daysBetween("2026-10-24", "2026-10-26")).toBe(2);
    expect(addMonths("2028-01-31", 1)).toBe("2028-02-29");
    expect(weekday("2026-11-27")).toBe(5);
    expect(dayOf(2026, 2, 30)).toBeNull();
  });

  it("are those of a zone", () => {
    const instant = new Date("2026-11-27T23:30:00Z");
    expect(wallClock(instant, "Europe/Berlin")).toEqual({
      date: "2026-11-28",
      time: "00:30",
    });
    expect(wallClock(instant, "Pacific/Honolulu")).toEqual({
      date: "2026-11-27",
      time: "13:30",
    });
  });
});

describe("words", () => {
  const today = "2026-11-27";
  it.each([
    ["2026-11-27", null, "today"],
    ["2026-11-27", "18:00:00", "18:00"],
    ["2026-11-28", "09:00", "tomorrow 09:00"],
    ["2026-11-30", null, "Mon"],
    ["2026-11-25", null, "25 Nov"],
    ["2026-12-24", null, "24 Dec"],
    ["2027-01-03", null, "3 Jan 2027"],
  ])("%s %s is %s", (date, time, words) => {
    expect(dueWords({ date, time }, today)).toBe(words);
  });

  it("name days and instants", () => {
    expect(dayName("2026-11-28", today)).toBe("Tomorrow");
    expect(dayName("2026-12-01", today)).toBe("Tuesday 1 December");
    const now = new Date("2026-11-27T12:00:00Z");
    expect(instantWords("2026-11-27T09:12:00Z", "UTC", now)).toBe("09:12");
    expect(instantWords("2026-11-26T21:40:00Z", "UTC", now)).toBe("yesterday 21:40");
    expect(instantWords("2026-11-24T08:03:00Z", "UTC", now)).toBe("24 Nov 08:03");
  });
});
