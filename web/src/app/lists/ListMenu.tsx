import { lazy, Suspense, useState } from "react";
import { useNavigate } from "react-router";

import { text } from "../../shared/i18n/index.ts";
import type { Draft } from "../../shared/sync/pending.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { Icon } from "../../shared/ui/Icon.tsx";
import { Menu, type MenuItem } from "../../shared/ui/Menu.tsx";
import { useActions } from "../useActions.ts";
import type { ListOf } from "./definitions.ts";
import { useListSettings } from "./useListSettings.ts";

const NameDialog = lazy(() => import("../../shared/ui/NameDialog.tsx"));

/** What one can do with a list: show what is done, rename it, delete it. */
export function ListMenu({ list, name }: { list: ListOf; name: string }) {
  const { showDone, setShowDone } = useListSettings();
  const [renaming, setRenaming] = useState(false);
  const actions = useActions();
  const navigate = useNavigate();
  const snapshot = useSnapshot();
  const { kind, id } = list;
  const items: MenuItem[] = [];
  if (kind !== "completed")
    items.push({
      label: showDone ? text.hideDone : text.showDone,
      onSelect: () => setShowDone(!showDone),
    });
  if ((kind === "project" || kind === "tag") && id) {
    const draft = (verb: string, args: object, label: string, set: object): Draft => ({
      type: `${kind}.${verb}`,
      target: id,
      args: { ...args },
      label,
      patches: [{ type: kind, id, set: { ...set } }],
    });
    const remove = () => {
      const gone = draft("delete", {}, text.commands.deleted(name), { deleted: true });
      for (const task of snapshot.task.values())
        if (kind === "project" && task.project_id === id)
          gone.patches.push({ type: "task", id: task.id, set: { deleted: true } });
      actions.run([gone]);
      void navigate("/");
    };
    items.push({ label: text.rename, onSelect: () => setRenaming(true) });
    items.push({ label: text.deleteNamed(name), onSelect: remove });
    if (renaming)
      return (
        <Suspense fallback={null}>
          <NameDialog
            title={text.rename}
            value={name}
            onClose={() => setRenaming(false)}
            onName={(next) =>
              actions.run([
                draft("edit", { name: next }, text.commands.renamed(next), {
                  name: next,
                }),
              ])
            }
          />
        </Suspense>
      );
  }
  if (items.length === 0) return null;
  return (
    <Menu
      end
      label={text.more}
      className="button icon"
      button={<Icon name="more" />}
      items={items}
    />
  );
}
