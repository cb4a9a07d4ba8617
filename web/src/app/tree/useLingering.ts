/** Tasks that were done while one looked: they stay in their place until one goes. */
import { useState } from "react";

import { isOpen, type Task } from "../../shared/sync/rows.ts";

type Tasks = ReadonlyMap<string, Task>;

export function useLingering(tasks: Tasks): ReadonlySet<string> {
  const [seen, setSeen] = useState(tasks);
  const [lingering, setLingering] = useState<ReadonlySet<string>>(new Set());
  if (seen !== tasks) {
    const done = doneSince(seen, tasks);
    setSeen(tasks);
    if (done.length > 0) setLingering(new Set([...lingering, ...done]));
  }
  return lingering;
}

function doneSince(before: Tasks, now: Tasks): string[] {
  const found: string[] = [];
  for (const [id, task] of now) {
    const old = before.get(id);
    if (old && old !== task && isOpen(old) && !isOpen(task)) found.push(id);
  }
  return found;
}
