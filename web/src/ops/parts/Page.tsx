import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";

import { text } from "../../shared/i18n/index.ts";
import { ops } from "../../shared/i18n/en.ops.ts";
import { ago } from "../words.ts";
import { useNow } from "./now.ts";

interface Props<D> {
  title: string;
  /** The question that the page is about. */
  asked: UseQueryResult<D>;
  /** Beside the heading. */
  extra?: ReactNode;
  /** Above the answer, whether it is there or not. */
  above?: ReactNode;
  children: (answer: D) => ReactNode;
}

/** A page of the room: its name, how old it is, and the answer or why there is none. */
export function Page<D>({ title, asked, extra, above, children }: Props<D>) {
  const { data, error } = asked;
  useEffect(() => {
    document.title = `${title} · ${text.rooms.ops} · MetaCortex`;
  }, [title]);
  return (
    <div className="page ops">
      <header className="page-head">
        <h1>{title}</h1>
        {data !== undefined && <Updated at={asked.dataUpdatedAt} />}
        <span className="grow" />
        {extra}
      </header>
      {above}
      {error && <Problem error={error} retry={() => void asked.refetch()} />}
      {data !== undefined ? (
        children(data)
      ) : error ? null : (
        <p className="muted" role="status">
          {text.loading}
        </p>
      )}
    </div>
  );
}

function Updated({ at }: { at: number }) {
  const now = useNow();
  return <span className="muted small">{ops.updated(ago(at, now))}</span>;
}

function Problem({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <div className="ops-problem" role="alert">
      <p>
        <strong>{ops.failed}.</strong> {error.message}
      </p>
      <button className="button" onClick={retry}>
        {ops.again}
      </button>
    </div>
  );
}
