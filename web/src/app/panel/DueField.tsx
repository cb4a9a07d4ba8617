import { text } from "../../shared/i18n/index.ts";
import type { Due, Task } from "../../shared/sync/rows.ts";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { Icon } from "../../shared/ui/Icon.tsx";
import { useActions } from "../useActions.ts";

/** A day, perhaps a time, and whether it is bound to a time zone. */
export function DueField({ task }: { task: Task }) {
  const actions = useActions();
  const { timeZone } = useClock();
  const { due } = task;
  const set = (next: Due | null) => actions.edit(task, { due: next });
  return (
    <div className="due" role="group" aria-label={text.fields.due}>
      <label>
        <span>{text.fields.due}</span>
        <input
          type="date"
          className="input plain"
          value={due?.date ?? ""}
          onChange={({ target: { value } }) =>
            set(value ? { time: null, time_zone: null, ...due, date: value } : null)
          }
        />
      </label>
      {due && (
        <>
          <input
            type="time"
            className="input plain time"
            aria-label={text.fields.time}
            value={due.time?.slice(0, 5) ?? ""}
            onChange={({ target: { value } }) =>
              set({
                ...due,
                time: value || null,
                time_zone: value ? due.time_zone : null,
              })
            }
          />
          <button
            className="button plain icon"
            aria-label={text.noDue}
            onClick={() => set(null)}
          >
            <Icon name="close" size={14} />
          </button>
          {due.time && (
            <label className="zone">
              <span className="hidden">{text.fields.zone}</span>
              <select
                className="input plain"
                value={due.time_zone ?? ""}
                onChange={({ target: { value } }) =>
                  set({ ...due, time_zone: value || null })
                }
              >
                <option value="">{text.floating}</option>
                {[...new Set([timeZone, due.time_zone, "UTC"])]
                  .filter(Boolean)
                  .map((it) => (
                    <option key={it} value={it ?? ""}>
                      {it}
                    </option>
                  ))}
              </select>
            </label>
          )}
        </>
      )}
    </div>
  );
}
