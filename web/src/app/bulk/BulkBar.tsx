import { useMemo } from "react";

import { text } from "../../shared/i18n/index.ts";
import { type Priority, type Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { addDays } from "../../shared/time/days.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import { Menu } from "../../shared/ui/Menu.tsx";
import { useActions } from "../useActions.ts";

interface Props {
  tasks: Task[];
  clear: () => void;
}

const PRIORITIES: readonly Priority[] = ["urgent", "high", "medium", "low"];

/** What one can do to many tasks; one batch, one undo. */
export default function BulkBar({ tasks, clear }: Props) {
  const actions = useActions();
  const { project } = useSnapshot();
  const { today } = useClock();
  const projects = useMemo(
    () => [...project.values()].filter((it) => !it.deleted && !it.archived),
    [project],
  );
  const then = (run: () => void) => () => {
    run();
    clear();
  };
  const due = (date: string | null) =>
    then(() =>
      actions.editAll(tasks, {
        due: date ? { date, time: null, time_zone: null } : null,
      }),
    );
  return (
    <div className="bulk" role="toolbar" aria-label={text.bulk.title}>
      <strong className="number">{text.bulk.count(tasks.length)}</strong>
      <button className="button" onClick={then(() => actions.completeAll(tasks))}>
        {text.complete}
      </button>
      <Menu
        up
        label={text.bulk.move}
        button={text.bulk.move}
        items={[
          {
            label: text.lists.inbox,
            onSelect: then(() => actions.moveAll(tasks, null)),
          },
          ...projects.map((it) => ({
            label: it.name,
            onSelect: then(() => actions.moveAll(tasks, it.id)),
          })),
        ]}
      />
      <Menu
        up
        label={text.fields.due}
        button={text.fields.due}
        items={[
          { label: text.today, onSelect: due(today) },
          { label: text.tomorrow, onSelect: due(addDays(today, 1)) },
          { label: text.nextWeek, onSelect: due(addDays(today, 7)) },
          { label: text.noDue, onSelect: due(null) },
        ]}
      />
      <Menu
        up
        label={text.fields.priority}
        button={text.fields.priority}
        items={PRIORITIES.map((priority) => ({
          label: text.priority[priority],
          onSelect: then(() => actions.editAll(tasks, { priority })),
        }))}
      />
      <button className="button danger" onClick={then(() => actions.removeAll(tasks))}>
        {text.delete}
      </button>
      <button
        className="button plain icon"
        aria-label={text.bulk.clear}
        onClick={clear}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
