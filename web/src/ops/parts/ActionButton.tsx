import { ApiError, NetworkError } from "@metacortex/client";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import { ops } from "../../shared/i18n/en.ops.ts";
import { Dialog } from "../../shared/ui/Dialog.tsx";
import { useToasts } from "../../shared/ui/Toasts.tsx";
import { type Act, ACTS } from "../api.ts";

interface Props {
  act: Act;
  /** What the API calls it. */
  id: string;
  /** What people call it. */
  of: string;
  primary?: boolean;
}

/** Asks once, says what it will touch, does it once, and says what came of it. */
export function ActionButton({ act, id, of, primary }: Props) {
  const [asking, setAsking] = useState(false);
  const { run, busy } = useAct(act, id, of);
  const words = ops.acts[act];
  return (
    <>
      <button
        className={primary ? "button primary" : "button"}
        title={words.title(of)}
        aria-disabled={busy}
        aria-haspopup="dialog"
        onClick={() => setAsking(!busy)}
      >
        {words.label}
      </button>
      {asking && (
        <Dialog
          title={words.title(of)}
          onClose={() => setAsking(false)}
          footer={
            <>
              <button className="button" onClick={() => setAsking(false)}>
                {text.cancel}
              </button>
              <button
                className="button primary"
                onClick={() => {
                  setAsking(false);
                  run();
                }}
              >
                {words.label}
              </button>
            </>
          }
        >
          <p>{words.touches(of)}</p>
          <p className="muted small">{ops.acts.recorded}</p>
        </Dialog>
      )}
    </>
  );
}

function useAct(act: Act, id: string, of: string) {
  const client = useClient();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toasts = useToasts();
  const title = `${ops.acts[act].label} ${of}`;
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      const { data } = await ACTS[act](client, id);
      const to = data.run_id ? `/ops/runs/${data.run_id}` : "/ops/actions";
      toasts.show({
        message: ops.acts.done(title, data.result),
        action: { label: ops.acts.show, run: () => void navigate(to) },
      });
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
      toasts.show({ message: ops.acts.failed(title, error.message), alert: true });
    } finally {
      setBusy(false);
      void queries.invalidateQueries({ queryKey: ["ops"] });
    }
  };
  return { run: () => void run(), busy };
}
