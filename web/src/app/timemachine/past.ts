/** All tasks of the workspace as they were at an instant. */
import {
  type Client,
  type Filters,
  operations,
  type ResultOf,
} from "@metacortex/client";

import type { Task } from "../../shared/sync/rows.ts";

const PAGE = 200; // the most that the API gives

export async function fetchPast(
  client: Client,
  at: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Task>> {
  const found = new Map<string, Task>();
  let cursor: string | null = null;
  do {
    const query: Filters<typeof operations.listTasks> = {
      as_of: at,
      per_page: PAGE,
      ...(cursor === null ? {} : { cursor }),
    };
    const { data, meta }: ResultOf<typeof operations.listTasks> = await client.query(
      operations.listTasks,
      { query },
      { signal, count: "none" },
    );
    for (const row of data as Task[]) found.set(row.id, row);
    cursor = meta.next_cursor;
  } while (cursor !== null);
  return found;
}
