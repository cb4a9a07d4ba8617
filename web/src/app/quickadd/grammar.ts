/** What one types into "Add a task": a title with project, tags, priority and a date. */
import type { Moment } from "../../shared/time/days.ts";
import { matchDate } from "./dates.ts";

export type Priority = "low" | "medium" | "high" | "urgent";

export interface Named {
  id: string;
  name: string;
}

export interface Span {
  start: number;
  end: number;
  kind: "project" | "tag" | "priority" | "date";
}

export interface Parsed {
  title: string;
  spans: Span[];
  due: Moment | null;
  priority: Priority | null;
  /** A known project, or the name of one to be made. */
  project: Named | { id: null; name: string } | null;
  tags: (Named | { id: null; name: string })[];
}

export interface Known {
  now: Moment;
  projects: readonly Named[];
  tags: readonly Named[];
}

const PRIORITIES: Record<string, Priority> = {
  low: "low",
  medium: "medium",
  med: "medium",
  high: "high",
  urgent: "urgent",
  "1": "urgent",
  "2": "high",
  "3": "medium",
  "4": "low",
};
const PRIORITY = /!(low|medium|med|high|urgent|[1-4])(?![\p{L}\p{N}])/iuy;
const WORD = /\p{L}[\p{L}\p{N}_/-]*/uy;
const EDGE = /[\p{L}\p{N}_]/u;

/** The longest known name that stands here, else one word as a new name. */
function named(text: string, index: number, known: readonly Named[]) {
  const rest = text.slice(index).toLowerCase();
  let best: Named | null = null;
  for (const one of known) {
    if (!rest.startsWith(one.name.toLowerCase())) continue;
    if (EDGE.test(rest.charAt(one.name.length))) continue;
    if (!best || one.name.length > best.name.length) best = one;
  }
  if (best) return { found: best, length: best.name.length };
  WORD.lastIndex = index;
  const word = WORD.exec(text)?.[0];
  return word ? { found: { id: null, name: word }, length: word.length } : null;
}

class Reader {
  readonly parsed: Parsed = {
    title: "",
    spans: [],
    due: null,
    priority: null,
    project: null,
    tags: [],
  };

  constructor(
    private readonly text: string,
    private readonly known: Known,
  ) {}

  /** Returns how many characters were understood at the index. */
  take(index: number): number {
    const length = this.sign(index) || this.date(index);
    return length;
  }

  private sign(index: number): number {
    const sign = this.text.charAt(index);
    if (sign === "!") return this.priority(index);
    if (sign !== "#" && sign !== "@") return 0;
    const isProject = sign === "#";
    if (isProject && this.parsed.project) return 0;
    const { projects, tags } = this.known;
    const match = named(this.text, index + 1, isProject ? projects : tags);
    if (!match) return 0;
    if (isProject) this.parsed.project = match.found;
    else this.parsed.tags.push(match.found);
    return this.span(index, match.length + 1, isProject ? "project" : "tag");
  }

  private priority(index: number): number {
    PRIORITY.lastIndex = index;
    const found = PRIORITY.exec(this.text);
    if (!found?.[1] || this.parsed.priority) return 0;
    this.parsed.priority = PRIORITIES[found[1].toLowerCase()] ?? null;
    return this.span(index, found[0].length, "priority");
  }

  private date(index: number): number {
    if (this.parsed.due) return 0;
    const found = matchDate(this.text, index, this.known.now);
    if (!found) return 0;
    this.parsed.due = found.moment;
    return this.span(index, found.length, "date");
  }

  private span(start: number, length: number, kind: Span["kind"]): number {
    this.parsed.spans.push({ start, end: start + length, kind });
    return length;
  }
}

export function parse(text: string, known: Known): Parsed {
  const reader = new Reader(text, known);
  let title = "";
  for (let index = 0; index < text.length;) {
    const before = text.charAt(index - 1);
    const length = !before || /[\s(,]/.test(before) ? reader.take(index) : 0;
    if (length === 0) title += text.charAt(index);
    index += length || 1;
  }
  reader.parsed.title = title
    .replace(/\s+/g, " ")
    .replace(/\s+([,.;])/g, "$1")
    .trim();
  return reader.parsed;
}
