/** What was asked for and is not yet seen in the copy of the server's rows. */
import type { Kind, Row } from "./rows.ts";

/** Sets fields of a row, or makes it where there is none. */
export interface Patch {
  type: Kind;
  id: string;
  set: Partial<Row> & Record<string, unknown>;
}

export interface Refusal {
  code: string;
  title: string;
  detail: string;
}

export interface Command {
  type: string;
  target: string | null;
  args: Record<string, unknown>;
}

/** A command as the app makes it, before it is queued. */
export interface Draft extends Command {
  /** In the words of the list of changes: Completed “Pack”. */
  label: string;
  patches: Patch[];
}

export interface Pending {
  /** Place in the queue; the database gives it. */
  n: number;
  /** The idempotency key, which is the command's id. */
  id: string;
  /** Commands of one group are one batch, all or none. */
  group: string | null;
  /** Undone by it, if it is an undo. */
  undoes: string | null;
  command: Command;
  label: string;
  patches: Patch[];
  inverse: Patch[];
  /** `sending` may have reached the server: it is sent again under the same id. */
  state: "waiting" | "sending" | "sent" | "refused";
  /** Of its last event, once it was sent. */
  sequence: number;
  refusal: Refusal | null;
  at: number;
}

/** What can be undone, newest last; kept in the database. */
export interface Done {
  n: number;
  label: string;
  /** In the order of the commands. */
  commands: { id: string; inverse: Patch[] }[];
  at: number;
}

/** Returns patches that bring back what these would change. */
export function inverse(
  patches: readonly Patch[],
  row: (type: Kind, id: string) => Row | undefined,
): Patch[] {
  return patches.map(({ type, id, set }) => {
    const before = row(type, id) as Record<string, unknown> | undefined;
    if (!before) return { type, id, set: { deleted: true } };
    const old = Object.keys(set).map((name) => [name, before[name]]);
    return { type, id, set: Object.fromEntries(old) as Patch["set"] };
  });
}

/** Whether a change is still to be laid over what the server has shown. */
export function isOpenChange(pending: Pending, shown: number): boolean {
  if (pending.state === "refused") return false;
  return pending.state !== "sent" || pending.sequence > shown;
}

/** The head of the queue that one request takes: a group, an undo, or up to a limit. */
export function head(queue: readonly Pending[], limit: number): Pending[] {
  const waiting = queue.filter(
    (it) => it.state === "waiting" || it.state === "sending",
  );
  const first = waiting[0];
  if (!first) return [];
  if (first.undoes) return [first];
  const end = waiting.findIndex((it) => it.group !== first.group || it.undoes);
  return waiting.slice(0, end === -1 ? waiting.length : end).slice(0, limit);
}
