import type { Body, Data, Filters, Meta, Operation, Result, Row } from './operations.js';
import type { CommandOptions, QueryOptions } from './options.js';
import type { Transport } from './transport.js';

type Answer<F extends Operation> = Promise<Result<Data<F>, Meta<F>>>;

/** The forms that calls have, over the generated functions. */
export class Calls {
  constructor(private readonly transport: Transport) {}

  /** A command that makes something: `create(body)`. */
  create<F extends Operation>(operation: F) {
    return (body: Body<F>, options?: CommandOptions): Answer<F> =>
      this.transport.command(operation, { body }, options);
  }

  /** A command that says something about one resource: `edit(id, body)`. */
  change<F extends Operation>(operation: F) {
    return (id: string, body: Body<F>, options?: CommandOptions): Answer<F> =>
      this.transport.command(operation, { path: { id }, body }, options);
  }

  /** A command whose body may be left out: `complete(id)`, `complete(id, body)`. */
  perhaps<F extends Operation>(operation: F) {
    return (id: string, body?: Body<F>, options?: CommandOptions): Answer<F> =>
      this.transport.command(operation, { path: { id }, body: body ?? {} }, options);
  }

  /** A command that says nothing but its name: `archive(id)`. */
  act<F extends Operation>(operation: F) {
    return (id: string, options?: CommandOptions): Answer<F> =>
      this.transport.command(operation, { path: { id } }, options);
  }

  /** A query with filters: `list(filters)`. */
  find<F extends Operation>(operation: F) {
    return (filters?: Filters<F>, options?: QueryOptions): Answer<F> =>
      this.transport.query(operation, { query: filters }, options);
  }

  /** A query about one resource: `get(id, { as_of })`. */
  about<F extends Operation>(operation: F) {
    return (id: string, filters?: Filters<F>, options?: QueryOptions): Answer<F> =>
      this.transport.query(operation, { path: { id }, query: filters }, options);
  }

  /** Every row of a list, page after page: `for await (const row of each(filters))`. */
  each<F extends Operation>(operation: F) {
    const list = this.find(operation);
    return (filters?: Filters<F>, options?: QueryOptions): AsyncGenerator<Row<F>, void, void> =>
      rows(list, filters, options);
  }
}

async function* rows<F extends Operation>(
  list: (filters?: Filters<F>, options?: QueryOptions) => Answer<F>,
  filters: Filters<F> | undefined,
  options: QueryOptions | undefined,
): AsyncGenerator<Row<F>, void, void> {
  let cursor: string | null = null;
  do {
    const asked = cursor === null ? filters : { ...filters, cursor };
    const { data, meta } = await list(asked as Filters<F>, { count: 'none', ...options });
    yield* data as Row<F>[];
    cursor = (meta as { next_cursor: string | null }).next_cursor;
  } while (cursor !== null);
}
