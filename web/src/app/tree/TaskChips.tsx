import { text } from "../../shared/i18n/index.ts";
import { isOpen } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { dueWords } from "../../shared/time/words.ts";
import type { TaskLine } from "./build.ts";

const TODAY = "today"; // the group of that day; others are called by their date

interface Props {
  line: TaskLine;
  hideProject: boolean;
}

/** What a row says beside its title. */
export function TaskChips({ line, hideProject }: Props) {
  const { project, tag } = useSnapshot();
  const { today } = useClock();
  const { task } = line;
  const { due } = task;
  const place = task.project_id ? project.get(task.project_id) : undefined;
  const late = due && due.date < today && isOpen(task);
  const dayIsSaid =
    line.group === due?.date || (line.group === TODAY && due?.date === today);
  return (
    <span className="chips">
      {line.subtasks > 0 && (
        <span
          className="chip number"
          title={text.subtasksDone(line.done, line.subtasks)}
        >
          {line.done}/{line.subtasks}
        </span>
      )}
      {task.status === "blocked" && (
        <span className="chip warn">{text.status.blocked}</span>
      )}
      {task.tags.map((id) => (
        <span key={id} className="chip wide-only">
          # {tag.get(id)?.name ?? text.lists.tag}
        </span>
      ))}
      {place && !hideProject && line.depth === 0 && (
        <span className="chip wide-only">{place.name}</span>
      )}
      {due && (!dayIsSaid || due.time) && (
        <time className={late ? "chip late" : "chip"} dateTime={due.date}>
          {dayIsSaid ? due.time?.slice(0, 5) : dueWords(due, today)}
        </time>
      )}
    </span>
  );
}
