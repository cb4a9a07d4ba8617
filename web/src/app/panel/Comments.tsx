import { operations } from "@metacortex/client";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type KeyboardEvent } from "react";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { useSession } from "../../shared/auth/AuthContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import type { Task } from "../../shared/sync/rows.ts";
import { useSnapshot } from "../../shared/sync/SyncContext.tsx";
import { commentOn } from "../commands/comments.ts";
import { useActions } from "../useActions.ts";
import { CommentItem, type Shown } from "./CommentItem.tsx";
import { Markdown } from "./Markdown.tsx";
import { personName } from "./PanelFields.tsx";
import { Section } from "./Section.tsx";

function useComments(task: Task): Shown[] {
  const client = useClient();
  const { userId } = useSession();
  const { data } = useQuery({
    queryKey: ["comments", task.id, task.version],
    placeholderData: (before) => before,
    enabled: task.version > 0,
    queryFn: async (): Promise<Shown[]> => {
      const parts = { path: { id: task.id }, query: { per_page: 200 } };
      const { data: rows } = await client.query(operations.listComments, parts);
      return rows.map(({ id, author, text: body, created_at: at, edited_at }) => ({
        id,
        author: author.name ?? personName(author.id),
        body,
        at,
        edited: edited_at !== null,
        mine: author.id === userId,
      }));
    },
  });
  return data ?? [];
}

export function Comments({ task }: { task: Task }) {
  const comments = useComments(task);
  const { pending } = useSnapshot();
  const actions = useActions();
  const waiting = pending.filter(
    (it) =>
      it.command.type === "task.comment" &&
      it.command.target === task.id &&
      it.state !== "refused",
  );
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const body = (new FormData(form).get("body") as string).trim();
    if (!body) return;
    form.reset();
    actions.run([commentOn(task, body)]);
  };
  const keys = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.currentTarget.form?.requestSubmit();
  };
  return (
    <Section
      title={text.panel.comments}
      count={comments.length > 0 ? String(comments.length) : null}
    >
      <ol className="comments">
        {comments.map((it) => (
          <CommentItem key={it.id} comment={it} taskId={task.id} />
        ))}
        {waiting.map((it) => (
          <li key={it.id} className="muted">
            <Markdown source={String(it.command.args["body"])} />
          </li>
        ))}
      </ol>
      <form className="comment-form" onSubmit={submit}>
        <textarea
          className="input"
          name="body"
          rows={1}
          maxLength={15_000}
          aria-label={text.panel.addComment}
          placeholder={text.panel.addComment}
          onKeyDown={keys}
        />
        <button className="button">{text.panel.send}</button>
      </form>
    </Section>
  );
}
