import { lazy, Suspense, useState } from "react";

import { text } from "../shared/i18n/index.ts";
import { useSnapshot, useSync } from "../shared/sync/SyncContext.tsx";

const OutboxDialog = lazy(() => import("./outbox/OutboxDialog.tsx"));

/** Whether what one sees is live, and what is still to be sent. */
export function ConnectionStatus() {
  const { connection } = useSync();
  const { pending } = useSnapshot();
  const [open, setOpen] = useState(false);
  const refused = pending.filter((it) => it.state === "refused").length;
  const waiting = pending.filter(
    (it) => it.state === "waiting" || it.state === "sending",
  ).length;
  const words =
    refused > 0
      ? text.outbox.refusedCount(refused)
      : connection === "offline"
        ? text.outbox.offline(waiting)
        : text.outbox[connection];
  return (
    <>
      <button
        className={`connection ${refused > 0 ? "refused" : connection}`}
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
      >
        {words}
      </button>
      <span role="status" className="hidden">
        {connection === "offline" ? words : ""}
      </span>
      {open && (
        <Suspense fallback={null}>
          <OutboxDialog onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
