/** Follows the event stream in one tab of the browser: the one that holds the lock. */
import type { Connection } from "./engine.ts";
import { locked } from "./locked.ts";
import { type Gateway, Resync, Unreachable } from "./gateway.ts";

const RETRY_MS = [250, 500, 1000, 2000, 4000]; // as long as the queue waits

interface Follows {
  sequence: () => number;
  wake: (sequence: number) => Promise<void>;
  connection: (connection: Connection) => void;
}

export class Follower {
  connection: Connection = "connecting";
  /** Whether this tab holds the lock. */
  leads = false;
  #attempt = 0;
  #wakeUp: () => void = () => undefined;

  constructor(
    private readonly gateway: Gateway,
    private readonly lock: string,
    private readonly signal: AbortSignal,
    private readonly on: Follows,
  ) {}

  /** Waits for the lock, then follows until the signal. */
  async run(): Promise<void> {
    try {
      await locked(this.lock, () => this.#follow(), this.signal);
    } catch (error) {
      if (!this.signal.aborted) throw error;
    }
  }

  retryNow(): void {
    this.#attempt = 0;
    this.#wakeUp();
  }

  async #follow(): Promise<void> {
    this.leads = true;
    while (!this.signal.aborted) {
      try {
        await this.#read();
        this.#attempt = 0;
      } catch (error) {
        if (this.signal.aborted) return;
        if (error instanceof Resync) await this.on.wake(0);
        else if (!(error instanceof Unreachable)) throw error;
        this.#say("offline");
        await this.#pause();
      }
    }
  }

  async #read(): Promise<void> {
    for await (const sequence of this.gateway.events(this.on.sequence(), this.signal)) {
      if (this.connection !== "live") this.#say("live");
      this.#attempt = 0;
      if (sequence > this.on.sequence() || sequence === 0) void this.on.wake(sequence);
    }
  }

  #say(connection: Connection): void {
    this.connection = connection;
    this.on.connection(connection);
  }

  #pause(): Promise<void> {
    const wait = RETRY_MS[Math.min(this.#attempt++, RETRY_MS.length - 1)] ?? 4000;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
