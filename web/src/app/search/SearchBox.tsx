import type { FormEvent } from "react";
import { useNavigate, useSearchParams } from "react-router";

import { text } from "../../shared/i18n/index.ts";

/** Enter shows the results; `/` focuses it. */
export function SearchBox() {
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const asked = params.get("q") ?? "";
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const q = (new FormData(event.currentTarget).get("q") as string).trim();
    if (q) void navigate(`/search?${new URLSearchParams({ q }).toString()}`);
  };
  return (
    <form role="search" className="search" onSubmit={submit}>
      <input
        key={asked}
        className="input"
        type="search"
        name="q"
        data-search
        aria-label={text.search}
        placeholder={text.search}
        defaultValue={asked}
        autoComplete="off"
        enterKeyHint="search"
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}
