import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "react-router";

import { text } from "../../shared/i18n/index.ts";
import type { Snapshot } from "../../shared/sync/replica.ts";
import { useSnapshot, useSync } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { wallClock } from "../../shared/time/days.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import type { Defaults } from "../commands/tasks.ts";
import { useActions } from "../useActions.ts";
import type { Known, parse, Span } from "./grammar.ts";

interface Props {
  defaults: Defaults;
  onAdded: (id: string) => void;
}

const DRAFT = "metacortex.draft"; // what is half typed survives a reload

/** The grammar is fetched when somebody is about to write. */
const grammar = () => import("./grammar.ts");

function useGrammar(wanted: boolean): typeof parse | null {
  const [loaded, setLoaded] = useState<{ parse: typeof parse } | null>(null);
  useEffect(() => {
    if (wanted) void grammar().then(setLoaded);
  }, [wanted]);
  return loaded?.parse ?? null;
}

function named({ project, tag }: Pick<Snapshot, "project" | "tag">) {
  const alive = <T extends { deleted: boolean }>(rows: Iterable<T>) =>
    [...rows].filter((it) => !it.deleted);
  return { projects: alive(project.values()), tags: alive(tag.values()) };
}

export function QuickAdd({ defaults, onAdded }: Props) {
  const [value, setValue] = useState(() => sessionStorage.getItem(DRAFT) ?? "");
  const box = useRef<HTMLTextAreaElement>(null);
  const { add } = useActions();
  const { state } = useLocation() as { state: { add?: boolean } | null };
  const { timeZone } = useClock();
  const { started } = useSync();
  const { project, tag } = useSnapshot();
  const names = useMemo(() => named({ project, tag }), [project, tag]);
  const known = (of = names): Known => ({
    ...of,
    now: wallClock(new Date(), timeZone),
  });
  const [focused, setFocused] = useState(false);
  const understand = useGrammar(focused || value !== "");
  useEffect(() => {
    if (state?.add) box.current?.focus();
  }, [state]);

  const change = (next: string) => {
    setValue(next);
    sessionStorage.setItem(DRAFT, next);
  };
  const last = useRef(Promise.resolve());
  const submit = () => {
    if (value.trim() === "") return;
    change(""); // at once: the next task may be typed before the grammar is there
    const read = async () => {
      const [{ parse }, { replica }] = await Promise.all([grammar(), started()]);
      const parsed = parse(value, known(named(replica.snapshot())));
      // What is nothing but a date or a tag is no task: it is put back.
      if (parsed.title === "") change(value);
      else onAdded(add(parsed, defaults));
    };
    // One after the other: what waits for grammar and copy must not be passed.
    last.current = last.current.then(read).catch(() => change(value));
  };
  const keys = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape") event.currentTarget.blur();
  };
  return (
    <div className="quick-add">
      <Icon name="plus" />
      <div className="quick-text">
        <Highlighted
          value={value}
          spans={value && understand ? understand(value, known()).spans : []}
        />
        <textarea
          ref={box}
          rows={1}
          data-quick-add
          aria-label={text.addTask}
          placeholder={text.addTask}
          title={text.grammar}
          value={value}
          maxLength={600}
          enterKeyHint="done"
          onChange={(event) => change(event.target.value.replace(/\n/g, " "))}
          onFocus={() => setFocused(true)}
          onKeyDown={keys}
        />
      </div>
      <button
        className="enter"
        aria-label={text.add}
        disabled={!value.trim()}
        onClick={submit}
      >
        <Icon name="enter" />
      </button>
    </div>
  );
}

/** The same text below the box, with what was understood on a tint. */
function Highlighted({ value, spans }: { value: string; spans: Span[] }) {
  const parts: React.ReactNode[] = [];
  let at = 0;
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    parts.push(
      value.slice(at, start),
      <mark key={start}>{value.slice(start, end)}</mark>,
    );
    at = end;
  }
  return (
    <div className="quick-marks" aria-hidden="true">
      {parts}
      {value.slice(at)}{" "}
    </div>
  );
}
