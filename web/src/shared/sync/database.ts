/** IndexedDB with promises: the rows, the queue, and what can be undone. */
import type { Done, Pending } from "./pending.ts";
import type { Document, Kind, Row } from "./rows.ts";

const VERSION = 1;

interface Stored {
  key: string;
  type: Kind;
  data: Row;
}

type Store = "rows" | "queue" | "done" | "meta";

function promised<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"));
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    const fail = () => reject(transaction.error ?? new Error("IndexedDB aborted"));
    transaction.onerror = fail;
    transaction.onabort = fail;
  });
}

function upgrade(database: IDBDatabase): void {
  database.createObjectStore("rows", { keyPath: "key" });
  database.createObjectStore("meta");
  for (const name of ["queue", "done"])
    database.createObjectStore(name, { keyPath: "n", autoIncrement: true });
}

export class Database {
  private constructor(private readonly idb: IDBDatabase) {}

  static async open(name: string): Promise<Database> {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => upgrade(request.result);
    return new Database(await promised(request));
  }

  close(): void {
    this.idb.close();
  }

  #store(name: Store, mode: IDBTransactionMode = "readonly"): IDBObjectStore {
    const durability = mode === "readwrite" && name === "queue" ? "strict" : "relaxed";
    return this.idb.transaction(name, mode, { durability }).objectStore(name);
  }

  async rows(): Promise<{
    documents: Document[];
    sequence: number;
    complete: boolean;
  }> {
    const transaction = this.idb.transaction(["rows", "meta"]);
    const meta = transaction.objectStore("meta");
    const [stored, sequence] = await Promise.all([
      promised(transaction.objectStore("rows").getAll() as IDBRequest<Stored[]>),
      promised(meta.get("sequence") as IDBRequest<number | undefined>),
    ]);
    return {
      documents: stored,
      sequence: sequence ?? 0,
      complete: sequence !== undefined,
    };
  }

  /** Keeps rows, and the sequence once all rows are there. */
  async keep(documents: readonly Document[], sequence: number | null): Promise<void> {
    const transaction = this.idb.transaction(["rows", "meta"], "readwrite");
    const rows = transaction.objectStore("rows");
    for (const { type, data } of documents)
      rows.put({ key: `${type}:${data.id}`, type, data } satisfies Stored);
    if (sequence !== null) transaction.objectStore("meta").put(sequence, "sequence");
    await finished(transaction);
  }

  async forgetRows(): Promise<void> {
    const transaction = this.idb.transaction(["rows", "meta"], "readwrite");
    transaction.objectStore("rows").clear();
    transaction.objectStore("meta").clear();
    await finished(transaction);
  }

  async queue(): Promise<Pending[]> {
    return promised(this.#store("queue").getAll() as IDBRequest<Pending[]>);
  }

  /**
   * Appends to the queue, together with the step by which it can be undone; both are
   * kept when it returns.
   */
  async enqueue(
    items: readonly Omit<Pending, "n">[],
    step: Omit<Done, "n"> | null,
  ): Promise<number> {
    const options = { durability: "strict" } as const;
    const transaction = this.idb.transaction(["queue", "done"], "readwrite", options);
    const queue = transaction.objectStore("queue");
    for (const item of items) queue.add(item);
    const added =
      step && (transaction.objectStore("done").add(step) as IDBRequest<number>);
    await finished(transaction);
    return added ? added.result : 0;
  }

  /** Marks what is about to be sent; what was withdrawn meanwhile is not returned. */
  async claim(items: readonly Pending[]): Promise<Pending[]> {
    const store = this.#store("queue", "readwrite");
    const made = finished(store.transaction);
    const found = await Promise.all(
      items.map(({ n }) => promised(store.get(n) as IDBRequest<Pending | undefined>)),
    );
    const claimed = found.flatMap((it) =>
      it ? [{ ...it, state: "sending" as const }] : [],
    );
    for (const item of claimed) store.put(item);
    await made;
    return claimed;
  }

  /** Takes off the end of the queue what nobody has begun to send; all of it or nothing. */
  async withdraw(ids: readonly string[]): Promise<boolean> {
    const store = this.#store("queue", "readwrite");
    const queue = await promised(store.getAll() as IDBRequest<Pending[]>);
    const tail = queue.slice(-ids.length);
    const untouched = tail.every(
      (it, index) => it.state === "waiting" && it.id === ids[index],
    );
    if (!untouched || tail.length !== ids.length) return false;
    for (const { n } of tail) store.delete(n);
    await finished(store.transaction);
    return true;
  }

  async update(items: readonly Pending[]): Promise<void> {
    const store = this.#store("queue", "readwrite");
    for (const item of items) store.put(item);
    await finished(store.transaction);
  }

  async remove(numbers: readonly number[]): Promise<void> {
    const store = this.#store("queue", "readwrite");
    for (const n of numbers) store.delete(n);
    await finished(store.transaction);
  }

  async done(): Promise<Done[]> {
    return promised(this.#store("done").getAll() as IDBRequest<Done[]>);
  }

  /** Takes one off, so that two tabs do not undo the same. */
  async takeDone(n: number): Promise<Done | undefined> {
    const store = this.#store("done", "readwrite");
    const found = await promised(store.get(n) as IDBRequest<Done | undefined>);
    if (found) store.delete(n);
    return found;
  }

  async trimDone(numbers: readonly number[]): Promise<void> {
    const store = this.#store("done", "readwrite");
    for (const n of numbers) store.delete(n);
    await finished(store.transaction);
  }
}
