/** All tasks of the workspace as they were at an instant. */
import type { Client } from "@metacortex/client";

import { listTasksAsOf } from "../../shared/api/operations.ts";
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
    const query: Record<string, unknown> = {
      as_of: at,
      per_page: PAGE,
      ...(cursor === null ? {} : { cursor }),
    };
    const { data, meta } = await client.query(
      listTasksAsOf,
      { query },
      { signal, count: "none" },
    );
    for (const row of data as Task[]) found.set(row.id, row);
    cursor = meta.next_cursor;
  } while (cursor !== null);
  return found;
}
