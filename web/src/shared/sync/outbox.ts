/**
 * The queue of changes: kept before it is sent, sent in order by whichever tab holds the
 * lock, and repeated under the same ids until the server has answered.
 */
import { newId } from "@metacortex/client";

import type { Database } from "./database.ts";
import { type Gateway, type Outcome, Unreachable } from "./gateway.ts";
import { locked } from "./locked.ts";
import { type Done, type Draft, head, inverse, type Pending } from "./pending.ts";
import type { Replica } from "./replica.ts";

const BATCH = 100; // what the API takes in one request
const UNDOABLE = 100; // undo steps that are kept
const RETRY_MS = [250, 500, 1000, 2000, 4000]; // then every 4 s: somebody is waiting

type Unsaved = Omit<Pending, "n">;

export interface OutboxEvents {
  /** The queue is another: other tabs are to read it. */
  changed: () => void;
  /** Up to this sequence the log has our changes. */
  sent: (sequence: number) => void;
  refused: (items: readonly Pending[]) => void;
  reachable: (reachable: boolean) => void;
}

export class Outbox {
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #draining: Promise<void> | null = null;
  #again = false;
  #unsaved: Unsaved[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly database: Database,
    private readonly gateway: Gateway,
    private readonly replica: Replica,
    private readonly lock: string,
    private readonly on: OutboxEvents,
  ) {}

  /** Shows the changes at once, keeps them, and sends them. Returns the undo step. */
  add(drafts: readonly Draft[], label: string): Promise<number> {
    const group = drafts.length > 1 ? newId() : null;
    const items = drafts.map((draft) => this.#item(draft, group));
    const commands = items.map(({ id, inverse: back }) => ({ id, inverse: back }));
    const kept = this.#keep(items, { label, commands, at: Date.now() });
    void this.#inTurn(() => this.#trim());
    return kept;
  }

  /** Takes a step back; nothing if another tab has done so. */
  undo(n: number): Promise<Done | null> {
    return this.#inTurn(() => this.#undo(n));
  }

  /** Takes back what was done last, in whichever tab, whenever. */
  undoLast(): Promise<Done | null> {
    return this.#inTurn(async () => {
      const last = (await this.database.done()).at(-1);
      return last ? this.#undo(last.n) : null;
    });
  }

  /** Undoes a command of the log, whoever gave it. */
  async undoCommand(commandId: string, label: string): Promise<void> {
    await this.#keep([this.#undoItem(commandId, [], label)], null);
  }

  /** Gives a refused change up. */
  async discard(n: number): Promise<void> {
    await this.database.remove([n]);
    await this.#changed();
  }

  async reload(): Promise<void> {
    const queue = await this.database.queue();
    const known = new Set(queue.map((it) => it.id));
    const unsaved = this.#unsaved.filter((it) => !known.has(it.id));
    this.replica.overlay([...queue, ...unsaved.map(unnumbered)]);
  }

  /** Sends what waits. */
  drain(): Promise<void> {
    this.#again = true;
    this.#draining ??= locked(this.lock, () => this.#drain()).finally(
      () => (this.#draining = null),
    );
    return this.#draining;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #item(draft: Draft, group: string | null): Unsaved {
    const { type, target, args, label, patches } = draft;
    return {
      id: newId(),
      group,
      undoes: null,
      command: { type, target, args },
      label,
      patches,
      inverse: inverse(patches, (kind, id) => this.replica.row(kind, id)),
      state: "waiting",
      sequence: 0,
      refusal: null,
      at: Date.now(),
    };
  }

  #undoItem(of: string, patches: Pending["patches"], label: string) {
    const draft = { type: "command.undo", target: of, args: {}, label, patches };
    return { ...this.#item(draft, null), undoes: of };
  }

  /** What was asked for first is kept first, however long keeping takes. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(run);
    this.#turn = next.catch(() => undefined); // told to whoever asked for it
    return next;
  }

  async #undo(n: number): Promise<Done | null> {
    const done = await this.database.takeDone(n);
    if (!done) return null;
    if (!(await this.database.withdraw(done.commands.map((it) => it.id)))) {
      const items = [...done.commands]
        .reverse()
        .map((it) => this.#undoItem(it.id, it.inverse, done.label));
      this.#show(items);
      await this.database.enqueue(items, null);
      this.#saved(items);
    }
    await this.#changed();
    void this.drain();
    return done;
  }

  /** Shows changes at once, keeps them in turn, and sends them. */
  #keep(items: readonly Unsaved[], step: Omit<Done, "n"> | null): Promise<number> {
    this.#show(items);
    return this.#inTurn(async () => {
      const made = await this.database.enqueue(items, step);
      this.#saved(items);
      await this.#changed();
      void this.drain();
      return made;
    });
  }

  #show(items: readonly Unsaved[]): void {
    this.#unsaved.push(...items);
    const shown = this.replica.snapshot().pending;
    this.replica.overlay([...shown, ...items.map(unnumbered)]);
  }

  #saved(items: readonly Unsaved[]): void {
    this.#unsaved = this.#unsaved.filter((it) => !items.includes(it));
  }

  async #changed(): Promise<void> {
    await this.reload();
    this.on.changed();
  }

  async #drain(): Promise<void> {
    clearTimeout(this.#timer);
    while (!this.#closed) {
      this.#again = false;
      const items = head(await this.database.queue(), BATCH);
      if (items.length === 0) {
        if (this.#again) continue;
        return;
      }
      try {
        await this.#send(items);
        this.#attempt = 0;
        this.on.reachable(true);
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        this.on.reachable(false);
        const wait = RETRY_MS[Math.min(this.#attempt++, RETRY_MS.length - 1)];
        this.#timer = setTimeout(() => void this.drain(), wait);
        return;
      }
    }
  }

  async #send(waiting: readonly Pending[]): Promise<void> {
    const items = await this.database.claim(waiting);
    if (items.length === 0) return;
    const outcomes = await this.#ask(items);
    const answered = items.map((it, index) => settled(it, outcomes[index]));
    await this.database.update(answered);
    await this.#changed();
    const sequence = Math.max(...answered.map((it) => it.sequence));
    if (sequence > 0) this.on.sent(sequence);
    const refused = answered.filter((it) => it.refusal);
    if (refused.length > 0) await this.#refused(refused);
    await this.#prune();
  }

  #ask(items: readonly Pending[]): Promise<Outcome[]> {
    const [first] = items;
    if (first?.undoes)
      return this.gateway.undo(first.undoes, first.id).then((outcome) => [outcome]);
    const commands = items.map(({ id, command }) => ({ ...command, id }));
    return first?.group ? this.gateway.runAll(commands) : this.gateway.run(commands);
  }

  async #prune(): Promise<void> {
    const queue = await this.database.queue();
    const shown = this.replica.sequence;
    const old = queue.filter((it) => it.state === "sent" && it.sequence <= shown);
    if (old.length > 0) await this.database.remove(old.map((it) => it.n));
  }

  /** What was refused did nothing that could be undone. */
  async #refused(items: readonly Pending[]): Promise<void> {
    const ids = new Set(items.map((it) => it.id));
    const steps = await this.database.done();
    const empty = steps.filter((it) => it.commands.every(({ id }) => ids.has(id)));
    await this.database.trimDone(empty.map((it) => it.n));
    this.on.refused(items);
  }

  async #trim(): Promise<void> {
    const done = await this.database.done();
    const old = done.slice(0, Math.max(0, done.length - UNDOABLE));
    if (old.length > 0) await this.database.trimDone(old.map((it) => it.n));
  }
}

function settled(item: Pending, outcome: Outcome | undefined): Pending {
  if (!outcome) throw new Error(`no outcome for ${item.id}`);
  if ("refusal" in outcome)
    return { ...item, state: "refused", refusal: outcome.refusal };
  return { ...item, state: "sent", sequence: outcome.sequence };
}

const unnumbered = (item: Unsaved): Pending => ({
  ...item,
  n: Number.MAX_SAFE_INTEGER,
});
