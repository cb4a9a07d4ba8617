import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { useSearchParams } from "react-router";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { Results } from "./Results.tsx";
import { SearchBox } from "./SearchBox.tsx";
import { localMatches } from "./match.ts";

const RESULTS = 100;

/** What the server finds; without a connection, what this browser's copy has. */
export default function SearchPage() {
  const [params] = useSearchParams();
  const q = params.get("q") ?? "";
  const client = useClient();
  const { task: tasks } = useSnapshot();
  const found = useQuery({
    queryKey: ["search", q],
    queryFn: async () =>
      (await client.tasks.list({ q, per_page: RESULTS })).data as Task[],
    enabled: q !== "",
  });
  useEffect(() => {
    document.title = `${text.search} · MetaCortex`;
    if (q === "") document.querySelector<HTMLElement>("[data-search]")?.focus();
  }, [q]);
  const rows = useMemo(() => {
    if (found.data) return found.data.map((it) => tasks.get(it.id) ?? it);
    return found.isError || found.isPending
      ? localMatches(tasks.values(), q, RESULTS)
      : [];
  }, [found.data, found.isError, found.isPending, tasks, q]);
  const shown = rows.filter((it) => !it.deleted);
  return (
    <div className="page">
      <header className="page-head search-page">
        <h1>{text.search}</h1>
        <span className="grow" />
        <SearchBox />
      </header>
      {q !== "" && (
        <p className="muted small" role="status">
          {found.isError
            ? text.searching.local(shown.length, q)
            : text.searching.found(shown.length, q)}
        </p>
      )}
      {shown.length > 0 && <Results tasks={shown} />}
      {q === "" && <p className="empty">{text.searching.hint}</p>}
    </div>
  );
}
