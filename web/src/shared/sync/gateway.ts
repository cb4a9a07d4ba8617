/** What synchronisation asks of the API. */
import type { Command, Refusal } from "./pending.ts";
import type { Document, Kind } from "./rows.ts";

export type Outcome = { sequence: number } | { refusal: Refusal };

export interface Batch {
  documents: Document[];
  /** The log's sequence that the answer shows. */
  sequence: number;
  more: boolean;
}

export interface Changes extends Batch {
  next: number;
}

/** The server cannot be reached, or not now: the same request is repeated later. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

/** The log is not the one that was followed: everything is to be read anew. */
export class Resync extends Error {
  override name = "Resync";
}

export interface Gateway {
  /** Each on its own; an outcome for each. Raises Unreachable. */
  run(commands: readonly (Command & { id: string })[]): Promise<Outcome[]>;
  /** All or none; where one is refused, all have its refusal. Raises Unreachable. */
  runAll(commands: readonly (Command & { id: string })[]): Promise<Outcome[]>;
  undo(commandId: string, id: string): Promise<Outcome>;
  /** Raises Unreachable or Resync. */
  changes(since: number, atLeast: number): Promise<Changes>;
  /** The pages of a table, newest first. */
  pages(type: Kind, signal: AbortSignal): AsyncIterable<Batch>;
  /** The sequence of each event as it becomes visible; 0 once it is connected. */
  events(after: number, signal: AbortSignal): AsyncIterable<number>;
}
