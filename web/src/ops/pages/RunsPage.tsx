import { operations } from "@metacortex/client";
import { useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import { addressOf, isFiltered, LINKED, queryOf } from "../filters.ts";
import { Page } from "../parts/Page.tsx";
import { Pages } from "../parts/small.tsx";
import { useAsk } from "../questions.ts";
import { short } from "../words.ts";
import { RunFilters } from "./RunFilters.tsx";
import { RunsTable } from "./RunsTable.tsx";

/** Every run that is kept; what is searched for stands in the address. */
export function RunsPage() {
  const [params] = useSearchParams();
  const asked = useAsk("runs", operations.listRuns, {
    query: queryOf(params),
    streamed: true,
  });
  const empty = isFiltered(params) ? ops.runs.empty : ops.runs.none;
  return (
    <Page
      title={ops.pagesNamed.runs}
      asked={asked}
      above={
        <>
          <RunFilters key={params.toString()} />
          <Only />
        </>
      }
    >
      {({ data, meta }) => (
        <>
          <RunsTable caption={ops.pagesNamed.runs} rows={data} empty={empty} />
          <Pages next={meta.next_cursor} />
        </>
      )}
    </Page>
  );
}

/** Conditions that links set; each can be taken off. */
function Only() {
  const [params, setParams] = useSearchParams();
  const set = LINKED.filter((it) => params.get(it));
  if (set.length === 0) return null;
  return (
    <p className="ops-only">
      {set.map((it) => {
        const words = ops.runs.only(
          ops.runs.onlyNamed[it],
          short(params.get(it) ?? ""),
        );
        return (
          <button
            key={it}
            className="button"
            aria-label={ops.runs.remove(words)}
            onClick={() => setParams(addressOf(params, { [it]: "" }))}
          >
            {words} <Icon name="close" size={12} />
          </button>
        );
      })}
    </p>
  );
}
