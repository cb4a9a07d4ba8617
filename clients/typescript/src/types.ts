/** Names for what calls take and return, by the operations that do. */

import type * as operations from './generated/sdk.gen.js';
import type { Body, Data, Filters, Meta, ResultOf, Row } from './operations.js';

export type Task = Data<typeof operations.createTask>;
export type TaskStatus = Task['status'];
export type Priority = Task['priority'];
export type NewTask = Body<typeof operations.createTask>;
export type TaskEdit = Body<typeof operations.editTask>;
export type TaskFilters = Filters<typeof operations.listTasks>;
export type TaskStats = Data<typeof operations.taskStats>;

export type Project = Data<typeof operations.createProject>;
export type ListedProject = Row<typeof operations.listProjects>;
export type NewProject = Body<typeof operations.createProject>;
export type ProjectFilters = Filters<typeof operations.listProjects>;

export type Tag = Data<typeof operations.createTag>;
export type NewTag = Body<typeof operations.createTag>;
export type TagFilters = Filters<typeof operations.listTags>;

/** A line of the task log: who, when, which fields from what to what. */
export type HistoryEntry = Row<typeof operations.getTaskHistory>;
export type AuditEvent = Row<typeof operations.listAuditEvents>;
export type AuditFilters = Filters<typeof operations.listAuditEvents>;

/** A resource that changed, as it is now; its sequence is where to go on from. */
export type Change = Row<typeof operations.listChanges>;

export type CommandMeta = Meta<typeof operations.createTask>;
export type PageMeta = Meta<typeof operations.listTasks>;
export type Receipt = Data<typeof operations.getCommand>;
export type ReceiptAnswer = ResultOf<typeof operations.getCommand>;
export type UndoAnswer = ResultOf<typeof operations.undoCommand>;
export type BatchAnswer = ResultOf<typeof operations.runCommands>;
export type BatchResult = BatchAnswer['data']['results'][number];

/** One command of a batch; its `id` is its idempotency key, made if left out. */
export type BatchCommand = Keyless<Body<typeof operations.runCommands>['commands'][number]>;

/** Each member of a union without its `id` being asked for. */
type Keyless<C> = C extends { id: string } ? Omit<C, 'id'> & { id?: string } : never;
