/**
 * A copy of the workspace's rows with the changes laid over that are under way.
 *
 * Rows come from the server in any order, so that the higher version wins. `sequence` is
 * how far the copy follows the log; a change that was sent stays laid over until then.
 */
import { isOpenChange, type Patch, type Pending } from "./pending.ts";
import { later } from "./instants.ts";
import { type Document, type Kind, KINDS, type Row, type Rows } from "./rows.ts";

type Table<K extends Kind> = ReadonlyMap<string, Rows[K]>;

export interface Snapshot {
  task: Table<"task">;
  project: Table<"project">;
  tag: Table<"tag">;
  section: Table<"section">;
  sequence: number;
  /** Whether all rows are there. */
  complete: boolean;
  pending: readonly Pending[];
}

type Tables = { [K in Kind]: Map<string, Rows[K]> };

const tables = (): Tables => ({
  task: new Map(),
  project: new Map(),
  tag: new Map(),
  section: new Map(),
});

const EMPTY: Snapshot = { ...tables(), sequence: 0, complete: false, pending: [] };

export class Replica {
  #base = tables();
  /** When the newest row that the server has shown was created, of each kind. */
  #newest = new Map<Kind, string>();
  #snapshot: Snapshot = EMPTY;
  #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Snapshot => this.#snapshot;

  row<K extends Kind>(type: K, id: string): Rows[K] | undefined {
    return (this.#snapshot[type] as ReadonlyMap<string, Rows[K]>).get(id);
  }

  get sequence(): number {
    return this.#snapshot.sequence;
  }

  /** Takes rows in; `sequence` only where they are all up to it. */
  take(
    documents: readonly Document[],
    sequence = this.sequence,
    complete?: boolean,
  ): void {
    const changed = new Set<Kind>();
    for (const { type, data } of documents) {
      const table = this.#base[type] as Map<string, Row>;
      const known = table.get(data.id);
      if (known && known.version > data.version) continue;
      table.set(data.id, data);
      if (data.created_at > (this.#newest.get(type) ?? ""))
        this.#newest.set(type, data.created_at);
      changed.add(type);
    }
    const pending = this.#snapshot.pending.filter(
      (it) => it.state === "refused" || isOpenChange(it, sequence),
    );
    for (const { patches } of this.#snapshot.pending)
      for (const { type } of patches) changed.add(type);
    const done = complete ?? this.#snapshot.complete;
    this.#publish({ sequence, complete: done, pending }, changed);
  }

  /** Replaces the queue that is laid over the rows. */
  overlay(pending: readonly Pending[]): void {
    const open = pending.filter(
      (it) => it.state === "refused" || isOpenChange(it, this.sequence),
    );
    const changed = new Set<Kind>();
    for (const { patches } of [...this.#snapshot.pending, ...open])
      for (const { type } of patches) changed.add(type);
    this.#publish({ pending: open }, changed);
  }

  /** Forgets everything: the log is another one, or the person is. */
  clear(): void {
    this.#base = tables();
    this.#newest.clear();
    this.#publish({ sequence: 0, complete: false }, new Set(KINDS));
  }

  #publish(change: Partial<Snapshot>, changed: ReadonlySet<Kind>): void {
    const next: Snapshot = { ...this.#snapshot, ...change };
    const fresh = Object.fromEntries(
      [...changed].map((type) => [type, this.#laid(type, next)]),
    );
    this.#snapshot = Object.assign(next, fresh);
    for (const listener of this.#listeners) listener();
  }

  #laid(type: Kind, { pending, sequence }: Snapshot): Map<string, Row> {
    const rows = new Map<string, Row>(this.#base[type]);
    let newest = this.#newest.get(type);
    for (const one of pending) {
      if (!isOpenChange(one, sequence)) continue;
      for (const patch of one.patches)
        if (patch.type === type) newest = lay(rows, patch, newest);
    }
    return rows;
  }
}

/**
 * A row that the server has yet to make comes after all that it has made, whatever the
 * two clocks say: it would jump over them otherwise. Returns the newest creation.
 */
function lay(
  rows: Map<string, Row>,
  { id, set }: Patch,
  newest: string | undefined,
): string | undefined {
  const row = rows.get(id);
  if (row) rows.set(id, { ...row, ...set } as Row);
  if (row || !("version" in set)) return newest;
  const made = set as Row;
  const created_at =
    newest === undefined ? made.created_at : later(made.created_at, newest);
  rows.set(id, { ...made, created_at });
  return created_at;
}
