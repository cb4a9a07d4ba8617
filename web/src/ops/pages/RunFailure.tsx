import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import type { RunStory } from "../types.ts";

const { run: words } = ops;

/** Why a run failed, and the way to those that failed alike. */
export function Failure({ run: { error } }: { run: RunStory }) {
  if (!error) return null;
  return (
    <section className="ops-section" aria-labelledby="error">
      <h2 id="error">
        {words.error}: {error.type}
      </h2>
      <p className="ops-message">{error.message}</p>
      {error.traceback && (
        <details open>
          <summary>{words.traceback}</summary>
          <Text>{error.traceback}</Text>
        </details>
      )}
      <Link className="ops-link" to={`/ops/runs?fingerprint=${error.fingerprint}`}>
        {words.sameCause}
      </Link>
    </section>
  );
}

/** Text as it is; it scrolls by itself, by keyboard too. */
export function Text({ children }: { children: string }) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <pre className="ops-pre" dir="ltr" tabIndex={0}>
      {children}
    </pre>
  );
}
