import { text } from "../../shared/i18n/index.ts";
import { isOpen, type Task } from "../../shared/sync/rows.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import { Menu, type MenuItem } from "../../shared/ui/Menu.tsx";
import * as commands from "../commands/tasks.ts";
import { useActions } from "../useActions.ts";

/** What one does to a task seldom. */
export function PanelMenu({ task }: { task: Task }) {
  const actions = useActions();
  const act = (draft: ReturnType<typeof commands.complete>) => () =>
    actions.run([draft]);
  const items: MenuItem[] = [];
  if (task.deleted) {
    items.push({ label: text.restore, onSelect: act(commands.restore(task)) });
  } else {
    if (task.status === "pending")
      items.push({ label: text.start, onSelect: act(commands.start(task)) });
    if (isOpen(task))
      items.push({ label: text.cancelTask, onSelect: act(commands.cancel(task)) });
    items.push({
      label: text.delete,
      icon: <Icon name="trash" />,
      onSelect: () => actions.remove(task),
    });
  }
  return (
    <Menu
      end
      label={text.more}
      className="button plain icon"
      button={<Icon name="more" />}
      items={items}
    />
  );
}
