/**
 * Runs what only one tab may do at a time. Pages that are neither local nor encrypted
 * have no locks; the server's idempotency keys then keep two tabs from doing it twice.
 */
export function locked(
  name: string,
  run: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const locks = (navigator as { locks?: LockManager }).locks;
  if (!locks) return run();
  return signal ? locks.request(name, { signal }, run) : locks.request(name, run);
}
