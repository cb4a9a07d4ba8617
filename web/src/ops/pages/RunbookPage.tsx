import { useEffect } from "react";
import { Link, useLocation } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { text } from "../../shared/i18n/index.ts";
import { Prose } from "../runbook/Prose.tsx";
import { sections } from "../runbook/sections.ts";

/** What to do when something is wrong; an address names the section one looks for. */
export function RunbookPage() {
  const { hash, key } = useLocation();
  useEffect(() => {
    document.title = `${ops.pagesNamed.runbook} · ${text.rooms.ops} · MetaCortex`;
    const heading = document.getElementById(hash.slice(1));
    heading?.scrollIntoView({ block: "start" });
    heading?.focus({ preventScroll: true });
  }, [hash, key]);
  return (
    <div className="page ops ops-runbook">
      <header className="page-head">
        <h1>{ops.pagesNamed.runbook}</h1>
      </header>
      <nav aria-label={ops.runbook.contents}>
        {sections.map((it) => (
          <Link className="ops-link" key={it.id} to={`#${it.id}`}>
            {it.title}
          </Link>
        ))}
      </nav>
      {sections.map((it) => (
        <section key={it.id} aria-labelledby={it.id}>
          <h2 id={it.id} tabIndex={-1} className={hash === `#${it.id}` ? "sought" : ""}>
            {it.title}
          </h2>
          <Prose html={it.html} />
        </section>
      ))}
    </div>
  );
}
