import { operations } from "@metacortex/client";
import { useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { Page } from "../parts/Page.tsx";
import { Pages } from "../parts/small.tsx";
import { useAsk } from "../questions.ts";
import { ActionsTable } from "./ActionsTable.tsx";

/** Who did what; nothing here is ever changed. */
export function ActionsPage() {
  const [params] = useSearchParams();
  const cursor = params.get("cursor");
  const asked = useAsk("actions", operations.listActions, {
    query: cursor ? { cursor } : {},
    streamed: true,
  });
  return (
    <Page title={ops.pagesNamed.actions} asked={asked}>
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
