/** The runbook, docs/operations.md, as HTML by section: what the room shows of it. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { Marked } from "marked";
import type { Plugin } from "vite";

const NAME = "virtual:runbook";
const SOURCE = resolve(import.meta.dirname, "../../docs/operations.md");
const PAGE = "/ops/runbook";

export interface Section {
  /** As links name it: `a-workspace-is-parked`. */
  id: string;
  title: string;
  html: string;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (it) => `&#${it.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => escaped(text),
    // Other documents are not served: their name is what one looks for.
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      if (!href.startsWith("#")) return `${text} (<code>${escaped(href)}</code>)`;
      return `<a href="${PAGE}${escaped(href)}">${text}</a>`;
    },
  },
});

/** A table that is wider than the page scrolls by itself, by keyboard too. */
const scrolling = (html: string): string =>
  html
    .replaceAll(
      "<table>",
      '<div class="table-frame" role="region" aria-label="Table" tabindex="0"><table class="table">',
    )
    .replaceAll("</table>", "</table></div>")
    .replaceAll("<pre>", '<pre class="ops-pre" tabindex="0">');

/** The id of a heading, as GitHub makes it. */
export const slug = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");

export function sectionsOf(source: string): Section[] {
  return source
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n");
      const title = part.slice(0, end).trim();
      const html = scrolling(marked.parse(part.slice(end), { async: false }).trim());
      return { id: slug(title), title, html };
    });
}

export function runbook(): Plugin {
  return {
    name: "metacortex-runbook",
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    load(id) {
      if (id !== `\0${NAME}`) return undefined;
      this.addWatchFile(SOURCE);
      const sections = sectionsOf(readFileSync(SOURCE, "utf8"));
      return `export const sections = ${JSON.stringify(sections)};`;
    },
  };
}
