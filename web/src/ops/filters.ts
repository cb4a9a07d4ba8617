/** What a search for runs asks, in the address and in the request alike. */

/** Those with a box or a list; in this order. */
export const FIELDS = [
  "q",
  "outcome",
  "queue",
  "actor",
  "correlation_id",
  "from",
  "to",
  "open",
] as const;

/** Those that only links set. */
export const LINKED = ["fingerprint", "worker", "command_id"] as const;

const ALL: readonly string[] = [...FIELDS, ...LINKED];

/** The parameters that the API knows; others of the address stay out of the request. */
export function queryOf(address: URLSearchParams): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of [...ALL, "cursor"]) {
    const value = address.get(name);
    if (value) found[name] = value;
  }
  return found;
}

/** Another search is another list: it begins at its first page. */
export function addressOf(
  before: URLSearchParams,
  changes: Record<string, string>,
): URLSearchParams {
  const next = new URLSearchParams(before);
  next.delete("cursor");
  for (const [name, value] of Object.entries(changes)) {
    const trimmed = value.trim();
    if (trimmed) next.set(name, trimmed);
    else next.delete(name);
  }
  return next;
}

export const isFiltered = (address: URLSearchParams): boolean =>
  ALL.some((name) => address.get(name));

/** An instant as `datetime-local` writes it: the browser's zone, to the second. */
export function toLocal(instant: string | null): string {
  const time = instant ? Date.parse(instant) : NaN;
  if (Number.isNaN(time)) return "";
  const offset = new Date(time).getTimezoneOffset() * 60_000;
  return new Date(time - offset).toISOString().slice(0, 19);
}

export const toInstant = (local: string): string => {
  const time = local ? Date.parse(local) : NaN;
  return Number.isNaN(time) ? "" : new Date(time).toISOString();
};
