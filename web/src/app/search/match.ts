import type { Task } from "../../shared/sync/rows.ts";

const folded = (text: string): string => text.normalize("NFKD").toLowerCase();

/** Tasks that have all words in title or description, titles first. */
export function localMatches(tasks: Iterable<Task>, q: string, limit: number): Task[] {
  const words = folded(q).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const inTitle: Task[] = [];
  const elsewhere: Task[] = [];
  for (const task of tasks) {
    if (task.deleted || task.archived) continue;
    const title = folded(task.title);
    if (words.every((it) => title.includes(it))) inTitle.push(task);
    else {
      const all = `${title} ${folded(task.description ?? "")}`;
      if (words.every((it) => all.includes(it))) elsewhere.push(task);
    }
  }
  return [...inTitle, ...elsewhere].slice(0, limit);
}
