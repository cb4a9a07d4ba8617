/** What tabs tell each other through; a BroadcastChannel is one. */
export interface Channel {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  close(): void;
}

/** Keeps text over reloads; `localStorage` and `sessionStorage` do. */
export interface TextStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

type Message =
  | { kind: 'seen'; workspace: string; sequence: number }
  | { kind: 'forget'; workspace: string }
  | { kind: 'ask' };

/** The highest sequence seen, workspace by workspace, shared with other tabs. */
export class Sequences {
  readonly #highest = new Map<string, number>();
  #channel: Channel | null;

  constructor(
    private readonly name: string,
    channel: Channel | null,
    private readonly storage: TextStorage | null,
  ) {
    this.#channel = channel;
    channel?.addEventListener('message', ({ data }) => {
      this.#hear(data as Message);
    });
    this.#tell({ kind: 'ask' });
  }

  of(workspace: string | undefined): number {
    if (workspace === undefined) return 0;
    return this.#highest.get(workspace) ?? this.#stored(workspace);
  }

  see(workspace: string | undefined, sequence: number): void {
    if (workspace !== undefined && this.#keep(workspace, sequence))
      this.#tell({ kind: 'seen', workspace, sequence });
  }

  /** After the log was restored, the sequences seen before mean nothing. */
  forget(workspace: string | undefined): void {
    if (workspace === undefined) return;
    this.#drop(workspace);
    this.#tell({ kind: 'forget', workspace });
  }

  /** Tells and hears no more; a closed channel throws at whoever still uses it. */
  close(): void {
    this.#channel?.close();
    this.#channel = null;
  }

  #keep(workspace: string, sequence: number): boolean {
    if (!(sequence > this.of(workspace))) return false; // nor what is no number
    this.#highest.set(workspace, sequence);
    this.storage?.setItem(this.#key(workspace), String(sequence));
    return true;
  }

  #drop(workspace: string): void {
    this.#highest.delete(workspace);
    this.storage?.removeItem(this.#key(workspace));
  }

  #stored(workspace: string): number {
    return Number(this.storage?.getItem(this.#key(workspace)) ?? 0) || 0;
  }

  #key(workspace: string): string {
    return `${this.name}:${workspace}`;
  }

  #tell(message: Message): void {
    this.#channel?.postMessage(message);
  }

  #hear(message: Message): void {
    if (message.kind === 'seen') this.#keep(message.workspace, message.sequence);
    else if (message.kind === 'forget') this.#drop(message.workspace);
    else
      for (const [workspace, sequence] of this.#highest)
        this.#tell({ kind: 'seen', workspace, sequence });
  }
}

/** A channel between the tabs of an origin, or between the threads of a Node process. */
export function openChannel(name: string): Channel | null {
  if (typeof BroadcastChannel === 'undefined') return null;
  const channel: Channel & { unref?: () => void } = new BroadcastChannel(name);
  channel.unref?.(); // Node: an open channel must not keep the process
  return channel;
}
