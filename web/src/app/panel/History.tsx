import type { schemas } from "@metacortex/client";
import { useQuery } from "@tanstack/react-query";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useSnapshot, useSync } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { instantWords } from "../../shared/time/words.ts";
import { changesOf } from "./changes.ts";
import { useNameOf } from "./PanelFields.tsx";
import { Section } from "./Section.tsx";

interface Props {
  task: Task;
  onShow: (version: number) => void;
}

const ENTRIES = 100;

/** Who did what, when, and each field from what to what. */
export function History({ task, onShow }: Props) {
  const client = useClient();
  const history = useQuery({
    queryKey: ["history", task.id, task.version],
    queryFn: async () =>
      (await client.tasks.history(task.id, { per_page: ENTRIES })).data,
    placeholderData: (before) => before,
    enabled: task.version > 0,
  });
  return (
    <Section title={text.panel.history} count={null}>
      {history.isError && <p className="muted">{text.panel.historyLater}</p>}
      {!history.data && !history.isError && <p className="muted">{text.loading}</p>}
      <ol className="history">
        {history.data?.map((entry) => (
          <Entry
            key={entry.event_id}
            entry={entry}
            isNow={entry.version === task.version}
            onShow={onShow}
          />
        ))}
      </ol>
    </Section>
  );
}

function Entry({
  entry,
  isNow,
  onShow,
}: {
  entry: schemas.Activity;
  isNow: boolean;
  onShow: Props["onShow"];
}) {
  const { timeZone } = useClock();
  const { engine } = useSync();
  const snapshot = useSnapshot();
  const nameOf = useNameOf();
  const undo = () =>
    void engine?.outbox.undoCommand(
      entry.command.id,
      text.commands.undid(entry.summary),
    );
  const undoable = entry.version > 1 && entry.type !== "task.commented";
  return (
    <li>
      <p>
        <strong>{nameOf(entry.actor.id)}</strong> {entry.summary}{" "}
        <time className="muted" dateTime={entry.recorded_at} title={entry.recorded_at}>
          {instantWords(entry.recorded_at, timeZone, new Date())}
        </time>
      </p>
      {changesOf(entry, { ...snapshot, nameOf }).map(({ field, from, to }) => (
        <p key={field} className="change">
          <span className="muted">{field}</span> {from !== null && <del>{from}</del>}
          {from !== null && " → "}
          <ins>{to}</ins>
        </p>
      ))}
      <p className="entry-actions">
        {!isNow && (
          <button className="button link" onClick={() => onShow(entry.version)}>
            {text.panel.showThen}
          </button>
        )}
        {undoable && (
          <button
            className="button link"
            aria-label={text.panel.undoEntry(entry.summary)}
            onClick={undo}
          >
            {text.panel.undoThis}
          </button>
        )}
      </p>
    </li>
  );
}
