import type { BatchAnswer, BatchCommand, ReceiptAnswer, UndoAnswer } from './types.js';
import { Calls } from './calls.js';
import * as operations from './generated/sdk.gen.js';
import { newId } from './ids.js';
import type { CallOptions, CommandOptions, QueryOptions } from './options.js';
import type { Transport } from './transport.js';

export interface BatchOptions extends CallOptions {
  /** `all` or none of them, which is what is done unless told; or each on its own. */
  atomicity?: 'all' | 'per_item';
  /** Decide, and keep nothing. */
  dryRun?: boolean;
}

export interface Commands {
  /** Runs 1 to 100 commands in order; each `id` is its idempotency key, made if left out. */
  run(commands: readonly BatchCommand[], options?: BatchOptions): Promise<BatchAnswer>;
  /** Takes a command back, by the `meta.command_id` of its answer. */
  undo(id: string, options?: CommandOptions): Promise<UndoAnswer>;
  /** What became of a command. */
  get(id: string, options?: QueryOptions): Promise<ReceiptAnswer>;
}

export function commandsOf(transport: Transport): Commands {
  const receipt = new Calls(transport).about(operations.getCommand);
  return {
    run: (commands, { atomicity = 'all', dryRun, ...options } = {}) => {
      const keyed = commands.map((command) => ({ ...command, id: command.id ?? newId() }));
      const query = dryRun ? { dry_run: true } : undefined;
      return transport.batch(
        operations.runCommands,
        { body: { atomicity, commands: keyed }, query },
        options,
      );
    },
    undo: new Calls(transport).act(operations.undoCommand),
    get: (id, options) => receipt(id, undefined, options),
  };
}
