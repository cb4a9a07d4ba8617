/** Instants as the API writes them: ISO 8601 in UTC, to the microsecond. */

/** Microseconds since 1970. */
export function microseconds(instant: string): number {
  const fraction = /\.(\d+)/.exec(instant)?.[1] ?? "";
  const seconds = Math.floor(Date.parse(instant) / 1000);
  return seconds * 1e6 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

/** Returns an instant, or the first microsecond after another one that it must follow. */
export function later(instant: string, than: string): string {
  const last = microseconds(than);
  if (microseconds(instant) > last) return instant;
  const seconds = new Date(Math.floor((last + 1) / 1e6) * 1000).toISOString();
  const fraction = String((last + 1) % 1e6).padStart(6, "0");
  return `${seconds.slice(0, 19)}.${fraction}Z`;
}
