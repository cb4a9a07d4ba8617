/** What the compiler must take and must refuse; it is never run. */
import type {
  BatchCommand,
  Change,
  ErrorCode,
  PageMeta,
  Priority,
  Result,
  ResultOf,
  Task,
  TaskStatus,
} from '../src/index.js';
import { ApiError, createClient, operations } from '../src/index.js';

type Status = 'pending' | 'in_progress' | 'blocked' | 'completed' | 'cancelled';
type Same<A, B> = [A, B] extends [B, A] ? true : false;

const client = createClient({ baseURL: '/api/v1', getToken: () => null });

export async function answers(): Promise<void> {
  const made = await client.tasks.create({ title: 'One', priority: 'high' });
  const task: Task = made.data;
  const text: string = task.created_at;
  const sequence: number = made.meta.sequence;
  const states: Same<TaskStatus, Status> = true;
  const priorities: Same<Priority, 'low' | 'medium' | 'high' | 'urgent'> = true;
  const page: Result<Task[], PageMeta> = await client.tasks.list({ status: ['pending'] });
  const asked: ResultOf<typeof operations.listTasks> = await client.query(operations.listTasks, {
    query: { q: text, page: sequence },
  });
  const command: BatchCommand = { type: 'task.create', args: { title: 'One' } };
  await client.commands.run([command], { atomicity: 'per_item' });
  await client.tasks.edit(task.id, { title: 'Two' }, { ifMatch: task.version });
  for await (const change of client.changes()) changed(change, page, asked, states, priorities);
}

function changed(...all: unknown[]): number {
  return all.length;
}

export async function refused(change: Change): Promise<void> {
  // @ts-expect-error -- a field that is not known
  await client.tasks.create({ titel: 'One' });
  // @ts-expect-error -- a title is asked for
  await client.tasks.create({});
  // @ts-expect-error -- a status that is none
  await client.tasks.list({ status: ['done'] });
  // @ts-expect-error -- a filter that is not known
  await client.tasks.list({ colour: 'red' });
  // @ts-expect-error -- an id is text
  await client.tasks.get(7);
  // @ts-expect-error -- a command takes no sequence to wait for
  await client.tasks.complete('id', {}, { minSequence: 7 });
  // @ts-expect-error -- a query takes no key
  await client.tasks.list({}, { idempotencyKey: 'k' });
  // @ts-expect-error -- a batch is all or per_item
  await client.commands.run([], { atomicity: 'some' });
  // @ts-expect-error -- a comment has a body
  await client.tasks.comment('id', {});
  // @ts-expect-error -- data is a list
  changed((await client.tasks.list()).data.title);
  // @ts-expect-error -- dates stay text
  const date: Date = (await client.tasks.get('id')).data.created_at;
  // @ts-expect-error -- a code that no server sends
  const code: ErrorCode = 'whatever';
  // @ts-expect-error -- a sequence is a number
  const sequence: string = change.sequence;
  // @ts-expect-error -- where the server is must be said
  createClient({ getToken: () => null });
  changed(date, code, sequence);
}

export function told(error: unknown): string {
  if (!(error instanceof ApiError)) return '';
  if (error.code === 'version_conflict') return error.title;
  // @ts-expect-error -- a code that does not exist cannot be asked for
  if (error.code === 'version_conflct') return '';
  return error.source?.pointer ?? '';
}
