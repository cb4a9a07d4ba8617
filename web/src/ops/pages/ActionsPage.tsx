import { operations } from "@metacortex/client";
import { useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import { addressOf } from "../filters.ts";
import { Page } from "../parts/Page.tsx";
import { Pages } from "../parts/small.tsx";
import { useAsk } from "../questions.ts";
import { short } from "../words.ts";
import { ActionsTable } from "./ActionsTable.tsx";

/** Who did what; nothing here is ever changed. */
export function ActionsPage() {
  const [params] = useSearchParams();
  const cursor = params.get("cursor");
  const target = params.get("target");
  const asked = useAsk("actions", operations.listActions, {
    query: { ...(cursor && { cursor }), ...(target && { target }) },
    streamed: true,
  });
  return (
    <Page
      title={ops.pagesNamed.actions}
      asked={asked}
      above={target && <OnlyOf target={target} />}
    >
      {({ data, meta }) => (
        <>
          <ActionsTable
            caption={ops.pagesNamed.actions}
            rows={data}
            empty={ops.actions.empty}
          />
          <Pages next={meta.next_cursor} />
        </>
      )}
    </Page>
  );
}

/** The one thing whose actions are shown; it can be taken off. */
function OnlyOf({ target }: { target: string }) {
  const [params, setParams] = useSearchParams();
  const words = ops.actions.ofTarget(short(target));
  return (
    <p className="ops-only">
      <button
        className="button"
        aria-label={ops.runs.remove(words)}
        onClick={() => setParams(addressOf(params, { target: "" }))}
      >
        {words} <Icon name="close" size={12} />
      </button>
    </p>
  );
}
