import { type FormEvent, useId, useMemo } from "react";

import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { Icon } from "../../shared/ui/Icon.tsx";
import { useActions } from "../useActions.ts";

export function TagField({ task }: { task: Task }) {
  const { tag } = useSnapshot();
  const actions = useActions();
  const options = useId();
  const box = useId();
  const known = useMemo(() => [...tag.values()].filter((it) => !it.deleted), [tag]);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const name = (new FormData(form).get("tag") as string).trim().replace(/^[@#]/, "");
    form.reset();
    if (!name) return;
    const found = known.find((it) => it.name.toLowerCase() === name.toLowerCase());
    if (!found) actions.tagAnew(task, name);
    else if (!task.tags.includes(found.id)) actions.retag(task, [found.id], []);
  };
  return (
    <div className="field-row">
      <label className="muted" htmlFor={box}>
        {text.fields.tags}
      </label>
      <form className="tags" onSubmit={submit}>
        {task.tags.map((id) => (
          <span className="chip tag" key={id}>
            {tag.get(id)?.name ?? text.lists.tag}
            <button
              type="button"
              aria-label={text.removeTag(tag.get(id)?.name ?? "")}
              onClick={() => actions.retag(task, [], [id])}
            >
              <Icon name="close" size={10} />
            </button>
          </span>
        ))}
        <input
          id={box}
          name="tag"
          className="input plain"
          list={options}
          maxLength={50}
          placeholder={text.addTag}
          autoComplete="off"
        />
        <datalist id={options}>
          {known.map((it) => (
            <option key={it.id} value={it.name} />
          ))}
        </datalist>
      </form>
    </div>
  );
}
