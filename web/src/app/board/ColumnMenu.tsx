import { useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import { Menu } from "../../shared/ui/Menu.tsx";
import NameDialog from "../../shared/ui/NameDialog.tsx";
import { deleteSection, renameSection } from "../commands/sections.ts";
import { useActions } from "../useActions.ts";
import type { Column } from "./columns.ts";

/** What one can do with a section. */
export function ColumnMenu({ column }: { column: Column }) {
  const [renaming, setRenaming] = useState(false);
  const actions = useActions();
  const { id, title, tasks } = column;
  const remove = () => {
    const inside = tasks.map((it) => it.id);
    actions.run([deleteSection(id, title, inside)]);
  };
  return (
    <>
      <Menu
        end
        label={text.board.section(title)}
        className="button plain icon"
        button={<Icon name="more" />}
        items={[
          { label: text.rename, onSelect: () => setRenaming(true) },
          { label: text.deleteNamed(title), onSelect: remove },
        ]}
      />
      {renaming && (
        <NameDialog
          title={text.rename}
          value={title}
          onClose={() => setRenaming(false)}
          onName={(name) => actions.run([renameSection(id, name)])}
        />
      )}
    </>
  );
}
