import { describe, expect, it } from "vitest";

import { sectionsOf, slug } from "../../../scripts/runbook.ts";
import { sectionAt, sections } from "./sections.ts";

describe("the runbook", () => {
  it("is docs/operations.md, section by section", () => {
    expect(sections.map((it) => it.id)).toContain("a-workspace-is-parked");
    expect(sectionAt("/ops/runbook#redis-is-down")?.title).toBe("Redis is down");
    expect(sectionAt("/ops/runbook#nothing")).toBeUndefined();
  });

  it("leads nowhere but to itself", () => {
    const ids = sections.map((it) => it.id);
    const links = sections.flatMap((it) => [...it.html.matchAll(/href="([^"]*)"/g)]);
    expect(links.length).toBeGreaterThan(10);
    for (const [, href = ""] of links) {
      const [page, anchor] = href.split("#");
      expect(page).toBe("/ops/runbook");
      expect(ids).toContain(anchor);
    }
  });

  it("has headings as GitHub names them, and no HTML of its own", () => {
    expect(slug("No worker, no scheduler")).toBe("no-worker-no-scheduler");
    const [only] = sectionsOf("# Title\n\n## It's <b>\n\n<img src=x> [a](other.md)\n");
    expect(only).toMatchObject({ id: "its-b" });
    expect(only?.html).not.toContain("<img");
    expect(only?.html).toContain("a (<code>other.md</code>)");
  });
});
