import { type KeyboardEvent, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import { Icon } from "../../shared/ui/Icon.tsx";
import { Menu, type MenuItem } from "../../shared/ui/Menu.tsx";
import NameDialog from "../../shared/ui/NameDialog.tsx";
import { deleteSection, renameSection } from "../commands/sections.ts";
import { useActions } from "../useActions.ts";
import type { Column } from "./columns.ts";
import { focusSection, shiftOf } from "./dragging.ts";

interface Props {
  column: Column;
  /** Brings it to the place of the column before or after it; null where there is none. */
  onShift: Record<"back" | "on", (() => void) | null>;
}

/** What one can do with a section; Alt with an arrow moves it. */
export function ColumnMenu({ column, onShift }: Props) {
  const [renaming, setRenaming] = useState(false);
  const actions = useActions();
  const { id, title, tasks } = column;
  const remove = () => {
    const inside = tasks.map((it) => it.id);
    actions.run([deleteSection(id, title, inside)]);
  };
  const shift = (move: (() => void) | null) => () => {
    move?.();
    focusSection(id);
  };
  const moves: MenuItem[] = [
    { label: text.board.back, onSelect: shift(onShift.back) },
    { label: text.board.on, onSelect: shift(onShift.on) },
  ].filter((_, index) => (index === 0 ? onShift.back : onShift.on));
  const keys = (event: KeyboardEvent) => {
    const by = shiftOf(event.key, event.altKey);
    if (by === null) return;
    event.preventDefault();
    shift(by > 0 ? onShift.on : onShift.back)();
  };
  return (
    <>
      <Menu
        onKeyDown={keys}
        end
        label={text.board.section(title)}
        className="button plain icon"
        button={<Icon name="more" />}
        items={[
          { label: text.rename, onSelect: () => setRenaming(true) },
          ...moves,
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
