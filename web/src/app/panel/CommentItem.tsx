import { operations } from "@metacortex/client";
import { type FormEvent, useState } from "react";

import { useClient } from "../../shared/api/ApiContext.tsx";
import { text } from "../../shared/i18n/index.ts";
import { useSync } from "../../shared/sync/SyncContext.tsx";
import { useClock } from "../../shared/time/ClockContext.tsx";
import { instantWords } from "../../shared/time/words.ts";
import { useToasts } from "../../shared/ui/Toasts.tsx";
import { Markdown } from "./Markdown.tsx";

export interface Shown {
  id: string;
  author: string;
  body: string;
  at: string;
  edited: boolean;
  /** Whether its author is reading it. */
  mine: boolean;
}

/** A comment; its author can change it and take it away, while there is a connection. */
export function CommentItem({ comment, taskId }: { comment: Shown; taskId: string }) {
  const [editing, setEditing] = useState(false);
  const { timeZone } = useClock();
  const change = useChange(taskId, comment.id);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const body = (new FormData(event.currentTarget).get("body") as string).trim();
    setEditing(false);
    if (body && body !== comment.body) change(body);
  };
  return (
    <li>
      <p className="small">
        <strong>{comment.author}</strong>{" "}
        <time className="muted" dateTime={comment.at}>
          {instantWords(comment.at, timeZone, new Date())}
        </time>
        {comment.edited && <span className="muted"> {text.panel.edited}</span>}
      </p>
      {editing ? (
        <form className="comment-form" onSubmit={submit}>
          <textarea
            className="input"
            name="body"
            rows={1}
            maxLength={15_000}
            aria-label={text.panel.editComment}
            defaultValue={comment.body}
          />
          <button className="button">{text.save}</button>
        </form>
      ) : (
        <Markdown source={comment.body} />
      )}
      {comment.mine && !editing && (
        <p className="entry-actions">
          <button className="button link" onClick={() => setEditing(true)}>
            {text.panel.editComment}
          </button>
          <button className="button link" onClick={() => change(null)}>
            {text.panel.deleteComment}
          </button>
        </p>
      )}
    </li>
  );
}

/** Changes the text; null deletes the comment. */
function useChange(id: string, comment_id: string) {
  const client = useClient();
  const { engine } = useSync();
  const { show } = useToasts();
  return (body: string | null) => {
    const path = { id, comment_id };
    const asked =
      body === null
        ? client.command(operations.deleteComment, { path })
        : client.command(operations.editComment, { path, body: { text: body } });
    asked
      .then(() => engine?.catchUp())
      .catch((error: Error) => show({ message: error.message, alert: true }));
  };
}
