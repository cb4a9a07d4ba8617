import { useId, useState } from "react";

import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useActions } from "../useActions.ts";
import { Markdown } from "./Markdown.tsx";

const LIMIT = 16_383; // the API's

export function Description({ task }: { task: Task }) {
  const [draft, setDraft] = useState<string | null>(null);
  const actions = useActions();
  const id = useId();
  const { description } = task;
  const save = () => {
    if (draft === null) return;
    const next = draft.trim() || null;
    if (next !== description) actions.edit(task, { description: next });
    setDraft(null);
  };
  if (draft === null)
    return (
      <div className="description">
        {description && <Markdown source={description} />}
        <button className="button link" onClick={() => setDraft(description ?? "")}>
          {description ? text.panel.editDescription : text.panel.addDescription}
        </button>
      </div>
    );
  return (
    <div className="description">
      <label className="hidden" htmlFor={id}>
        {text.fields.description}
      </label>
      <textarea
        id={id}
        className="input"
        rows={4}
        maxLength={LIMIT}
        value={draft}
        ref={(box) => {
          if (box && document.activeElement === document.body) box.focus();
        }}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") setDraft(null);
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
        }}
      />
      <div className="buttons">
        <button className="button primary" onClick={save}>
          {text.save}
        </button>
        <button className="button" onClick={() => setDraft(null)}>
          {text.cancel}
        </button>
        <span className="muted small">{text.panel.markdown}</span>
      </div>
    </div>
  );
}
