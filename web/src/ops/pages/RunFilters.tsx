import { type FormEvent, type ReactNode, useRef } from "react";
import { Link, useSearchParams } from "react-router";

import { ops } from "../../shared/i18n/en.ops.ts";
import { addressOf, FIELDS, isFiltered, toInstant, toLocal } from "../filters.ts";
import type { Outcome } from "../types.ts";
import { Choice, QueueChoice } from "./Choice.tsx";

const { runs } = ops;
const OUTCOMES = Object.keys(ops.outcomes) as Outcome[];

/** The search: Enter searches, and what is chosen from a list does at once. */
export function RunFilters() {
  const [params, setParams] = useSearchParams();
  const form = useRef<HTMLFormElement>(null);
  const of = (name: string) => params.get(name) ?? "";
  const search = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setParams(addressOf(params, read(event.currentTarget)));
  };
  const submit = () => form.current?.requestSubmit();
  return (
    <form className="ops-filters" role="search" ref={form} onSubmit={search}>
      <div className="ops-filter-row">
        <input
          className="input"
          type="search"
          name="q"
          aria-label={runs.search}
          placeholder={runs.searchHint}
          defaultValue={of("q")}
          maxLength={255}
        />
        <Choice
          name="outcome"
          label={runs.outcome}
          value={of("outcome")}
          options={OUTCOMES}
          onChange={submit}
        />
        <button className="button primary">{runs.find}</button>
        {isFiltered(params) && (
          <Link className="button plain" to="?">
            {runs.clear}
          </Link>
        )}
      </div>
      <details open={FIELDS.slice(2).some((it) => params.get(it))}>
        <summary>{runs.more}</summary>
        <div className="ops-filter-grid">
          <Field label={runs.queue}>
            <QueueChoice value={of("queue")} onChange={submit} />
          </Field>
          <Field label={runs.actor}>
            <input className="input" name="actor" defaultValue={of("actor")} />
          </Field>
          <Field label={runs.correlation}>
            <input
              className="input"
              name="correlation_id"
              defaultValue={of("correlation_id")}
            />
          </Field>
          {(["from", "to"] as const).map((it) => (
            <Field key={it} label={runs[it]}>
              <input
                className="input"
                type="datetime-local"
                step="1"
                name={it}
                defaultValue={toLocal(of(it))}
              />
            </Field>
          ))}
          <label className="ops-check">
            <input
              className="check"
              type="checkbox"
              name="open"
              value="true"
              defaultChecked={of("open") === "true"}
              onChange={submit}
            />
            {runs.open}
          </label>
        </div>
      </details>
    </form>
  );
}

function read(form: HTMLFormElement): Record<string, string> {
  const data = new FormData(form);
  const found = Object.fromEntries(
    FIELDS.map((it) => [it, (data.get(it) as string | null) ?? ""]),
  );
  return {
    ...found,
    from: toInstant(found.from ?? ""),
    to: toInstant(found.to ?? ""),
  };
}

function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    // The control is the child; the rule does not look into a component's children.

    <label className="field">
      <span>{label}</span>
      {children}
    </label>
  );
}
