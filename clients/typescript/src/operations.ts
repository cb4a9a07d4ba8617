/**
 * What the generated functions take and return, read off their types, so that nothing
 * here names a component of the document.
 */

/** A generated function; each takes its parts in one object. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- only its type arguments differ
export type Operation = (options: any) => Promise<unknown>;

type Options<F extends Operation> = NonNullable<Parameters<F>[0]>;

type Part<F extends Operation, K extends string> =
  Options<F> extends Partial<Record<K, infer P>> ? NonNullable<P> : never;

export type Body<F extends Operation> = Part<F, 'body'>;
export type Filters<F extends Operation> = Part<F, 'query'>;
export type Path<F extends Operation> = Part<F, 'path'>;

type Envelope<F extends Operation> = Extract<
  Awaited<ReturnType<F>>,
  { data: { data: unknown; meta: unknown } }
>['data'];

/** What an answer is about. */
export type Data<F extends Operation> = Envelope<F>['data'];

/** What an answer says of itself: ids, sequence, page. */
export type Meta<F extends Operation> = Envelope<F>['meta'];

/** What a list has rows of. */
export type Row<F extends Operation> = Data<F> extends readonly (infer R)[] ? R : never;

/** An answer. */
export interface Result<D, M> {
  data: D;
  meta: M;
  /** The HTTP status: 201 for what was created, 207 for a batch item by item. */
  status: number;
  /** For `ifMatch` of a later command. */
  etag: string | undefined;
}

export type ResultOf<F extends Operation> = Result<Data<F>, Meta<F>>;
