import { operations } from "@metacortex/client";
import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { changesOf } from "../changes.ts";
import { useAsk } from "../questions.ts";
import { When } from "./When.tsx";

const FEW = { per_page: 8 };

/** What changed last, whoever changed it. */
export function Changes() {
  const actions = useAsk("actions", operations.listActions, {
    query: FEW,
    streamed: true,
  });
  const failures = useAsk("failures", operations.listFailures, {
    query: FEW,
    streamed: true,
  });
  const workers = useAsk("workers", operations.listWorkers);
  const changes = changesOf(
    actions.data?.data ?? [],
    failures.data?.data ?? [],
    workers.data?.data ?? [],
  );
  return (
    <section aria-labelledby="changes">
      <h2 id="changes">{ops.changes.title}</h2>
      {changes.length === 0 ? (
        <p className="muted">{ops.changes.empty}</p>
      ) : (
        <ol className="ops-changes">
          {changes.map((it) => (
            <li key={it.id}>
              <When at={it.at} />
              <Link className={it.bad ? "ops-link bad" : "ops-link"} to={it.to}>
                {it.words}
              </Link>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
