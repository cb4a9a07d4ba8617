/** Which tasks of a list are selected, and which one the keys are about. */
import { useCallback, useMemo, useState } from "react";

import type { Task } from "../../shared/sync/rows.ts";
import type { Line, TaskLine } from "./build.ts";

export interface Selection {
  selected: ReadonlySet<string>;
  current: string | null;
  setCurrent: (id: string | null) => void;
  toggle: (id: string) => void;
  /** From the current task to this one. */
  extend: (id: string) => void;
  all: () => void;
  clear: () => void;
  tasks: (known: ReadonlyMap<string, Task>) => Task[];
}

const NONE: ReadonlySet<string> = new Set();

export function useSelection(lines: readonly Line[]): Selection {
  const [selected, setSelected] = useState(NONE);
  const [current, setCurrent] = useState<string | null>(null);
  const ids = useMemo(
    () => lines.filter((it): it is TaskLine => it.kind === "task").map((it) => it.id),
    [lines],
  );
  const shown = useMemo(() => {
    const there = ids.filter((id) => selected.has(id));
    return there.length === 0 ? NONE : new Set(there);
  }, [ids, selected]);

  const toggle = useCallback((id: string) => {
    setCurrent(id);
    setSelected((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);
  const extend = useCallback(
    (id: string) => {
      const from = Math.max(0, ids.indexOf(current ?? id));
      const to = ids.indexOf(id);
      const range = ids.slice(Math.min(from, to), Math.max(from, to) + 1);
      setSelected((old) => new Set([...old, ...range]));
      setCurrent(id);
    },
    [ids, current],
  );
  const all = useCallback(() => setSelected(new Set(ids)), [ids]);
  const clear = useCallback(() => setSelected(NONE), []);
  const tasks = useCallback(
    (known: ReadonlyMap<string, Task>) =>
      [...shown].flatMap((id) => known.get(id) ?? []),
    [shown],
  );
  return useMemo(
    () => ({ selected: shown, current, setCurrent, toggle, extend, all, clear, tasks }),
    [shown, current, toggle, extend, all, clear, tasks],
  );
}
