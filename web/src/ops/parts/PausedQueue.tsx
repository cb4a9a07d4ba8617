import { operations } from "@metacortex/client";
import { Link } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { useAsk } from "../questions.ts";
import { ActionButton } from "./ActionButton.tsx";

/** A queue that somebody paused, where its page is about what stands still for it. */
export function PausedQueue({ name, means }: { name: string; means: string }) {
  const { data } = useAsk("queues", operations.listQueues);
  if (!data?.data.some((it) => it.name === name && it.paused)) return null;
  return (
    <section className="ops-verdict degraded" aria-label={ops.queues.isPaused(name)}>
      <h2>{ops.queues.isPaused(name)}</h2>
      <p>
        {means}{" "}
        <Link className="ops-link" to={`/ops/actions?target=${name}`}>
          {ops.queues.whoPaused}
        </Link>
      </p>
      <p className="ops-does">
        <ActionButton act="queue.resume" id={name} of={name} primary />
      </p>
    </section>
  );
}
