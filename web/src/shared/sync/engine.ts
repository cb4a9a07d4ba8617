/**
 * Keeps the copy of a workspace current, in every tab, over one event stream.
 *
 * The tab that holds the lock follows the stream and tells the others what changed; each
 * tab fetches by itself what it did not hear of. Any tab may send the queue.
 */
import { Database } from "./database.ts";
import { Follower } from "./follower.ts";
import { type Changes, type Gateway, Resync, Unreachable } from "./gateway.ts";
import { Outbox } from "./outbox.ts";
import type { Pending } from "./pending.ts";
import { Replica } from "./replica.ts";
import type { Document, Kind } from "./rows.ts";

type Message =
  | { kind: "queue" }
  | { kind: "hello" }
  | { kind: "connection"; connection: Connection }
  | { kind: "rows"; since: number; next: number; documents: Document[] };

export type Connection = "connecting" | "live" | "offline";

export interface EngineEvents {
  connection: (connection: Connection) => void;
  refused: (items: readonly Pending[]) => void;
}

export class Engine {
  readonly replica = new Replica();
  readonly outbox: Outbox;
  #channel: BroadcastChannel;
  #abort = new AbortController();
  #catching: Promise<void> | null = null;
  #wanted = 0;
  #follower: Follower;

  private constructor(
    private readonly database: Database,
    private readonly gateway: Gateway,
    key: string,
    private readonly on: EngineEvents,
    private readonly kinds: readonly Kind[],
  ) {
    this.#channel = new BroadcastChannel(`metacortex:${key}`);
    this.#channel.onmessage = (event: MessageEvent<Message>) => this.#hear(event.data);
    this.outbox = new Outbox(database, gateway, this.replica, `send:${key}`, {
      changed: () => this.#tell({ kind: "queue" }),
      sent: (sequence) => void this.catchUp(sequence),
      refused: on.refused,
      reachable: (yes) => this.#connected(yes ? null : "offline"),
    });
    this.#follower = new Follower(gateway, `follow:${key}`, this.#abort.signal, {
      sequence: () => this.replica.sequence,
      wake: (sequence) => this.catchUp(sequence),
      connection: (connection) => {
        this.#connected(connection);
        this.#tell({ kind: "connection", connection });
      },
    });
  }

  /** Opens the copy that this browser has, and brings it up to date. */
  static async start(
    gateway: Gateway,
    key: string,
    kinds: readonly Kind[],
    on: EngineEvents,
  ): Promise<Engine> {
    const database = await Database.open(`metacortex:${key}`);
    const engine = new Engine(database, gateway, key, on, kinds);
    const { documents, sequence, complete } = await database.rows();
    if (complete) engine.replica.take(documents, sequence, true);
    await engine.outbox.reload();
    void engine.#run();
    return engine;
  }

  stop(): void {
    this.#abort.abort();
    this.outbox.close();
    this.#channel.close();
    this.database.close();
  }

  /** Fetches what changed, up to a sequence at least. */
  catchUp(atLeast = 0): Promise<void> {
    this.#wanted = Math.max(this.#wanted, atLeast);
    this.#catching ??= this.#catchUp().finally(() => (this.#catching = null));
    return this.#catching;
  }

  async #run(): Promise<void> {
    const wake = () => {
      if (document.visibilityState === "visible") this.#wake();
    };
    const { signal } = this.#abort;
    document.addEventListener("visibilitychange", wake, { signal });
    window.addEventListener("online", wake, { signal });
    window.addEventListener("offline", () => this.#connected("offline"), { signal });
    this.#wake();
    this.#tell({ kind: "hello" });
    await this.#follower.run();
  }

  #wake(): void {
    void this.catchUp();
    void this.outbox.drain();
    this.#follower.retryNow();
  }

  async #catchUp(): Promise<void> {
    try {
      if (!this.replica.snapshot().complete) await this.#load();
      let more = true;
      while (more && !this.#abort.signal.aborted) {
        const since = this.replica.sequence;
        const found = await this.gateway.changes(since, this.#wanted);
        await this.#take(since, found);
        more = found.more || this.replica.sequence < this.#wanted;
      }
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (error instanceof Resync) return this.#resync();
      if (!(error instanceof Unreachable)) throw error;
      this.#connected("offline");
    }
  }

  async #take(since: number, found: Changes): Promise<void> {
    if (found.next < since) throw new Resync("the log is shorter than it was");
    if (found.next === since) return;
    const { documents, next } = found;
    this.replica.take(documents, next);
    this.#tell({ kind: "rows", since, next, documents });
    await this.database.keep(documents, next);
  }

  /** Reads all rows; what changes meanwhile is caught up with from the first answer on. */
  async #load(): Promise<void> {
    let from = Infinity;
    await Promise.all(
      this.kinds.map(async (kind) => {
        for await (const page of this.gateway.pages(kind, this.#abort.signal)) {
          from = Math.min(from, page.sequence);
          this.replica.take(page.documents);
          await this.database.keep(page.documents, null);
        }
      }),
    );
    if (this.#abort.signal.aborted) return;
    const sequence = Number.isFinite(from) ? from : 0;
    this.replica.take([], sequence, true);
    await this.database.keep([], sequence);
  }

  async #resync(): Promise<void> {
    this.#wanted = 0;
    await this.database.forgetRows();
    this.replica.clear();
    await this.#catchUp();
  }

  #connected(connection: Connection | null): void {
    this.on.connection(connection ?? this.#follower.connection);
  }

  #tell(message: Message): void {
    if (!this.#abort.signal.aborted) this.#channel.postMessage(message);
  }

  #hear(message: Message): void {
    if (message.kind === "queue") void this.outbox.reload();
    else if (message.kind === "hello") this.#greet();
    else if (message.kind === "connection") this.#heardConnection(message.connection);
    else if (message.since === this.replica.sequence)
      this.replica.take(message.documents, message.next);
    else if (message.next > this.replica.sequence) void this.catchUp();
  }

  /** Tells a new tab what the tab that follows the stream knows. */
  #greet(): void {
    if (!this.#follower.leads) return;
    this.#tell({ kind: "connection", connection: this.#follower.connection });
  }

  #heardConnection(connection: Connection): void {
    this.#follower.connection = connection;
    this.on.connection(connection);
    if (connection === "live") void this.outbox.drain();
  }
}
