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
const CLOCKS_DIFFER_MS = 60_000; // at most, the server's and ours

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
  const { data, dataUpdatedAt, isError, isFetching, refetch } = found;
  const local = useMemo(() => localMatches(tasks.values(), q, RESULTS), [tasks, q]);
  const known = useMemo(() => data && new Set(data.map((it) => it.id)), [data]);
  const others = local.filter((it) => !known?.has(it.id));
  // What was added or changed since is asked for once the server has it.
  const since = known && others.map((it) => `${it.id} ${it.version}`).join();
  useEffect(() => {
    if (since) void refetch();
  }, [since, refetch]);
  const isNew = (it: Task) =>
    it.version === 0 ||
    (isFetching && Date.parse(it.created_at) > dataUpdatedAt - CLOCKS_DIFFER_MS);
  const rows = data
    ? [...data.map((it) => tasks.get(it.id) ?? it), ...others.filter(isNew)]
    : local;
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
          {isError
            ? text.searching.local(shown.length, q)
            : text.searching.found(shown.length, q)}
        </p>
      )}
      {shown.length > 0 && <Results tasks={shown} />}
      {q === "" && <p className="empty">{text.searching.hint}</p>}
    </div>
  );
}
