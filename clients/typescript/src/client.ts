import { Calls } from './calls.js';
import type { Commands } from './commands.js';
import { commandsOf } from './commands.js';
import type { ConnectionOptions } from './connection.js';
import { connection } from './connection.js';
import type { ChangesOptions, EventsOptions, StreamEvent } from './events.js';
import { changes, events } from './events.js';
import * as operations from './generated/sdk.gen.js';
import type { Body, Filters, Operation, Path, ResultOf } from './operations.js';
import type { ClientOptions, CommandOptions, QueryOptions } from './options.js';
import { settingsOf } from './options.js';
import type { Message } from './sse.js';
import { Transport } from './transport.js';
import type { Change } from './types.js';

/** The parts that a generated operation takes. */
export interface PartsOf<F extends Operation> {
  path?: Path<F>;
  query?: Filters<F>;
  body?: Body<F>;
}

/** Everything that can be asked of a server. Throws ApiError, NetworkError. */
export type Client = ReturnType<typeof createClient>;

/** Makes a client; one for a whole program, or for each page. */
export function createClient(options: ClientOptions) {
  const transport = new Transport(settingsOf(options));
  const calls = new Calls(transport);
  return {
    tasks: tasksOf(calls),
    projects: projectsOf(calls),
    tags: tagsOf(calls),
    audit: auditOf(calls),
    meta: metaOf(calls),
    commands: commandsOf(transport) satisfies Commands,

    /** Events as they become visible, resumed over lost connections; `for await`. */
    events: (asked: EventsOptions = {}): AsyncGenerator<StreamEvent, void, void> =>
      events(transport, asked),

    /** What changed after a sequence, each resource as it is now; `for await`. */
    changes: (asked: ChangesOptions = {}): AsyncGenerator<Change, void, void> =>
      changes(transport, asked),

    /** One connection of another stream of server-sent events; the caller comes back. */
    stream: (path: string, asked: ConnectionOptions): AsyncGenerator<Message, void, void> =>
      connection(transport, { path }, asked),

    /** Runs any command of `operations`, for those without a method here. */
    command: <F extends Operation>(
      operation: F,
      parts: PartsOf<F>,
      asked?: CommandOptions,
    ): Promise<ResultOf<F>> => transport.command(operation, parts, asked),

    /** Asks any query of `operations`, for those without a method here. */
    query: <F extends Operation>(
      operation: F,
      parts: PartsOf<F> = {},
      asked?: QueryOptions,
    ): Promise<ResultOf<F>> => transport.query(operation, parts, asked),

    /** Stops telling other tabs. */
    close: (): void => {
      transport.sequences.close();
    },
  };
}

function tasksOf(calls: Calls) {
  return {
    list: calls.find(operations.listTasks),
    each: calls.each(operations.listTasks),
    get: calls.about(operations.getTask),
    history: calls.about(operations.getTaskHistory),
    stats: calls.find(operations.taskStats),
    create: calls.create(operations.createTask),
    edit: calls.change(operations.editTask),
    move: calls.change(operations.moveTask),
    start: calls.act(operations.startTask),
    block: calls.perhaps(operations.blockTask),
    unblock: calls.act(operations.unblockTask),
    complete: calls.perhaps(operations.completeTask),
    reopen: calls.act(operations.reopenTask),
    cancel: calls.act(operations.cancelTask),
    comment: calls.change(operations.commentTask),
    archive: calls.act(operations.archiveTask),
    unarchive: calls.act(operations.unarchiveTask),
    delete: calls.act(operations.deleteTask),
    restore: calls.act(operations.restoreTask),
  };
}

function projectsOf(calls: Calls) {
  return {
    list: calls.find(operations.listProjects),
    each: calls.each(operations.listProjects),
    get: calls.about(operations.getProject),
    history: calls.about(operations.getProjectHistory),
    create: calls.create(operations.createProject),
    edit: calls.change(operations.editProject),
    archive: calls.act(operations.archiveProject),
    unarchive: calls.act(operations.unarchiveProject),
    delete: calls.act(operations.deleteProject),
    restore: calls.act(operations.restoreProject),
  };
}

function tagsOf(calls: Calls) {
  return {
    list: calls.find(operations.listTags),
    each: calls.each(operations.listTags),
    get: calls.about(operations.getTag),
    history: calls.about(operations.getTagHistory),
    create: calls.create(operations.createTag),
    edit: calls.change(operations.editTag),
    merge: calls.change(operations.mergeTag),
    delete: calls.act(operations.deleteTag),
  };
}

function auditOf(calls: Calls) {
  const event = calls.about(operations.getAuditEvent);
  return {
    events: calls.find(operations.listAuditEvents),
    each: calls.each(operations.listAuditEvents),
    event: (id: string, options?: QueryOptions) => event(id, undefined, options),
  };
}

function metaOf(calls: Calls) {
  return {
    errors: calls.find(operations.listErrors),
    stateMachines: calls.find(operations.listStateMachines),
  };
}
