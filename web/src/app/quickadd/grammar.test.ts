import { describe, expect, it } from "vitest";

import { parse } from "./grammar.ts";

// A Friday.
const now = { date: "2026-11-27", time: "10:30" };
const projects = [
  { id: "p1", name: "Move to Lisbon" },
  { id: "p2", name: "Move" },
];
const tags = [{ id: "t1", name: "phone" }];
const read = (text: string) => parse(text, { now, projects, tags });

describe("dates in words", () => {
  it.each([
    ["Call the notary tomorrow 9am", "Call the notary", "2026-11-28", "09:00"],
    ["Call the notary at 9am tomorrow", "Call the notary", "2026-11-28", "09:00"],
    ["today Water the plants", "Water the plants", "2026-11-27", null],
    ["Pay rent next fri", "Pay rent", "2026-12-04", null],
    ["Pay rent fri", "Pay rent", "2026-12-04", null],
    ["Pay rent on monday", "Pay rent", "2026-11-30", null],
    ["Pay rent next monday 18:30", "Pay rent", "2026-11-30", "18:30"],
    ["Check boiler in 3 days", "Check boiler", "2026-11-30", null],
    ["Check boiler in a week", "Check boiler", "2026-12-04", null],
    ["Check boiler in two months", "Check boiler", "2027-01-27", null],
    ["Gifts 27 dec", "Gifts", "2026-12-27", null],
    ["Gifts dec 24th at 6pm", "Gifts", "2026-12-24", "18:00"],
    ["Taxes 31 May 2027", "Taxes", "2027-05-31", null],
    ["Taxes 3 jan", "Taxes", "2027-01-03", null],
    ["Trip 2027-02-28", "Trip", "2027-02-28", null],
    ["Hoover this weekend", "Hoover", "2026-11-28", null],
    ["Plan next week", "Plan", "2026-11-30", null],
    ["Plan next month", "Plan", "2026-12-01", null],
    ["Lunch at noon", "Lunch", "2026-11-27", "12:00"],
    ["Standup 9:15", "Standup", "2026-11-28", "09:15"],
    ["Standup 17:00", "Standup", "2026-11-27", "17:00"],
    ["Stretch in 45 minutes", "Stretch", "2026-11-27", "11:15"],
    ["Stretch in half an hour", "Stretch", "2026-11-27", "11:00"],
    ["Long run sat 7am", "Long run", "2026-11-28", "07:00"],
    ["Return it the day after tomorrow", "Return it", "2026-11-29", null],
    ["Party 12am tomorrow", "Party", "2026-11-28", "00:00"],
  ])("%s", (text, title, date, time) => {
    expect(read(text)).toMatchObject({ title, due: { date, time } });
  });

  it.each([
    "Buy sun cream",
    "Buy a sat nav",
    "Marchons",
    "Meet Mayor 30 times",
    "Read chapter 12",
    "Version 3.2",
    "Fix 30 feb bug",
    "Mondays are hard",
    "Buy tomorrowland tickets",
    "at 25",
    "13pm",
  ])("%s names no date", (text) => {
    expect(read(text)).toMatchObject({ title: text, due: null });
  });

  it("takes the first date only", () => {
    const found = read("Ask today about tomorrow");
    expect(found).toMatchObject({
      title: "Ask about tomorrow",
      due: { date: now.date },
    });
  });

  it("takes the last day of a shorter month", () => {
    const later = { now: { date: "2027-01-31", time: "08:00" }, projects, tags };
    expect(parse("Bill in 1 month", later).due?.date).toBe("2027-02-28");
  });
});

describe("projects, tags and priorities", () => {
  it("takes the longest known project", () => {
    const found = read("Pack #move to lisbon now");
    expect(found).toMatchObject({ title: "Pack now", project: projects[0] });
  });
  it("does not take half a word for a project", () => {
    expect(read("Pack #mover").project).toEqual({ id: null, name: "mover" });
  });
  it("names what is to be made", () => {
    const found = read("Milk #Groceries @shop @phone !urgent");
    expect(found.project).toEqual({ id: null, name: "Groceries" });
    expect(found.tags).toEqual([{ id: null, name: "shop" }, tags[0]]);
    expect(found.priority).toBe("urgent");
    expect(found.title).toBe("Milk");
  });
  it("leaves mail addresses, numbers and shouts alone", () => {
    const text = "Write to ada@example.org about #1 now!";
    expect(read(text)).toMatchObject({
      title: text,
      project: null,
      tags: [],
      priority: null,
    });
  });
  it("reads !1 to !4 as urgent to low", () => {
    expect(["!1", "!2", "!3", "!4"].map((it) => read(`x ${it}`).priority)).toEqual([
      "urgent",
      "high",
      "medium",
      "low",
    ]);
  });
  it("says where each part stands", () => {
    const text = "Call tomorrow 9am #Move to Lisbon !high";
    const found = read(text).spans.map((it) => [it.kind, text.slice(it.start, it.end)]);
    expect(found).toEqual([
      ["date", "tomorrow 9am"],
      ["project", "#Move to Lisbon"],
      ["priority", "!high"],
    ]);
  });
});
