import "./panel.css";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useSearchParams } from "react-router";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { Icon } from "../../shared/ui/Icon.tsx";
import { Comments } from "./Comments.tsx";
import { History } from "./History.tsx";
import { PastTask } from "./PastTask.tsx";
import { PanelFields } from "./PanelFields.tsx";
import { PanelMenu } from "./PanelMenu.tsx";
import { PanelTitle } from "./PanelTitle.tsx";
import { Description } from "./Description.tsx";
import { Subtasks } from "./Subtasks.tsx";

export default function TaskPanel({ id }: { id: string }) {
  const { task: tasks, complete } = useSnapshot();
  const client = useClient();
  const [params, setParams] = useSearchParams();
  const known = tasks.get(id);
  // Deleted tasks are not part of the copy, but have a history that can be linked.
  const asked = useQuery({
    queryKey: ["task", id],
    queryFn: async () => (await client.tasks.get(id)).data as Task,
    enabled: complete && !known,
  });
  const task = known ?? asked.data;
  const version = params.get("version");
  const set = (name: string, value: string | null) =>
    setParams((old) => {
      if (value === null) old.delete(name);
      else old.set(name, value);
      return old;
    });
  const close = () => {
    setParams((old) => {
      old.delete("task");
      old.delete("version");
      return old;
    });
    document.querySelector<HTMLElement>(`[data-task="${id}"]`)?.focus();
  };
  return (
    <aside className="aside panel" aria-label={text.panel.title}>
      <div className="panel-bar">
        <span className="muted small">{task?.deleted ? text.panel.deleted : ""}</span>
        <span className="grow" />
        {task && <PanelMenu task={task} />}
        <CloseButton onClose={close} />
      </div>
      {!task && (
        <p className="muted">{asked.isError ? text.panel.none : text.loading}</p>
      )}
      {task && version && (
        <PastTask
          id={id}
          version={Number(version)}
          onNow={() => set("version", null)}
        />
      )}
      {task && !version && <Present task={task} />}
      {task && <History task={task} onShow={(at) => set("version", String(at))} />}
    </aside>
  );
}

function CloseButton({ onClose }: { onClose: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // On narrow pages the panel covers the list, so that the focus belongs into it.
    if (window.matchMedia("(max-width: 720px)").matches) button.current?.focus();
  }, []);
  return (
    <button
      ref={button}
      className="button plain icon"
      aria-label={text.panel.close}
      onClick={onClose}
    >
      <Icon name="close" />
    </button>
  );
}

function Present({ task }: { task: Task }) {
  return (
    <>
      <PanelTitle task={task} />
      <Description task={task} />
      <PanelFields task={task} />
      <Subtasks task={task} />
      <Comments task={task} />
    </>
  );
}
