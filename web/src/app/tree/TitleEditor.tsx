import { type KeyboardEvent, useRef } from "react";

import { text } from "../../shared/i18n/index.ts";

interface Props {
  title: string;
  onSave: (title: string) => void;
  onDone: () => void;
}

/** Edits a title in its row: Enter and leaving save, Escape does not. */
export function TitleEditor({ title, onSave, onDone }: Props) {
  const over = useRef(false);
  const end = (value: string | null) => {
    if (over.current) return;
    over.current = true;
    const next = value?.trim();
    if (next && next !== title) onSave(next);
    onDone();
  };
  const keys = (event: KeyboardEvent<HTMLInputElement>) => {
    event.stopPropagation();
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") end(event.currentTarget.value);
    if (event.key === "Escape") end(null);
  };
  return (
    <input
      className="title-editor"
      aria-label={text.editTitle}
      defaultValue={title}
      maxLength={255}
      ref={(box) => {
        if (box && document.activeElement !== box) {
          box.focus();
          box.select();
        }
      }}
      onKeyDown={keys}
      onBlur={(event) => end(event.currentTarget.value)}
    />
  );
}
