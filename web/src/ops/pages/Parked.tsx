import { ops } from "../../shared/i18n/en.ops.ts";
import { ActionButton } from "../parts/ActionButton.tsx";
import { Id } from "../parts/small.tsx";
import { When } from "../parts/When.tsx";
import { Worded } from "../parts/Worded.tsx";
import type { Projection } from "../types.ts";
import { number, short } from "../words.ts";
import { Rebuilding } from "./ProjectionsTable.tsx";

const { projections: words } = ops;

/** A workspace that stands still: at which event, why, and what brings it back. */
export function Parked({ of }: { of: Projection }) {
  const { workspace_id, parked, rebuilding } = of;
  if (!parked) return null;
  const name = short(workspace_id);
  const { event_type, matches_hashes, remedy } = parked;
  return (
    <section className="ops-verdict failing" aria-label={words.parkedCard(name)}>
      <h2>
        {words.workspace} <Id id={workspace_id} />{" "}
        {words.parked(number(parked.sequence))}
      </h2>
      <dl className="ops-facts">
        <div>
          <dt>{words.event}</dt>
          <dd>
            {event_type === null ? words.noEvent : <code dir="ltr">{event_type}</code>}
          </dd>
        </div>
        {matches_hashes !== null && (
          <div>
            <dt>{words.hashes}</dt>
            <dd>{matches_hashes ? words.asWritten : words.altered}</dd>
          </div>
        )}
        <div>
          <dt>{words.since}</dt>
          <dd>
            <When at={parked.since} />
          </dd>
        </div>
      </dl>
      <pre className="ops-pre" dir="ltr" aria-label={ops.run.error}>
        {parked.error}
      </pre>
      <p>
        <Worded>{words.first(remedy)}</Worded>
      </p>
      <p className="muted small">{words.then}</p>
      <p className="ops-does">
        <ActionButton act="projection.retry" id={workspace_id} of={name} primary />
        <ActionButton act="projection.rebuild" id={workspace_id} of={name} />
        {rebuilding && <Rebuilding of={rebuilding} />}
      </p>
    </section>
  );
}
