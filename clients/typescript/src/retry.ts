import { ApiError, NetworkError } from './errors.js';
import { sleep } from './waiting.js';

/** How often, and how far apart, a call is tried. */
export interface RetryOptions {
  /** Attempts in all; 6 unless told, some 5 to 9 s, in which a server starts again. */
  attempts?: number;
  /** The first pause, which doubles each time, in milliseconds; 300 unless told. */
  baseMs?: number;
  /** The longest pause of our own; 5,000 unless told. */
  longestMs?: number;
  /** A `Retry-After` beyond this is an error at once; 30,000 unless told. */
  longestRetryAfterMs?: number;
}

export const RETRY: Required<RetryOptions> = {
  attempts: 6,
  baseMs: 300,
  longestMs: 5_000,
  longestRetryAfterMs: 30_000,
};

/** Whether the same request, under the same key, may come to another answer soon. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  if (!(error instanceof ApiError)) return false;
  if (error.status === 429 || error.status === 503) return true;
  // The same key is in flight. A rule that refuses never says when to come again.
  return error.status === 409 && error.retryAfterMs !== undefined;
}

/** The pause before the attempt after `failures` ones: half of it fixed, half chance. */
export function backOff(failures: number, baseMs: number, longestMs: number): number {
  const full = Math.min(baseMs * 2 ** (failures - 1), longestMs);
  return full / 2 + (Math.random() * full) / 2;
}

/** Runs attempts until one succeeds, or fails in a way that repeating cannot mend. */
export async function retrying<T>(
  attempt: () => Promise<T>,
  options: Required<RetryOptions>,
  signal?: AbortSignal,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (failures >= options.attempts || !isRetryable(error)) throw error;
      const asked = error instanceof ApiError ? error.retryAfterMs : undefined;
      if (asked !== undefined && asked > options.longestRetryAfterMs) throw error;
      await sleep(pause(failures, asked, options), signal);
    }
  }
}

/** What the server asked for, and some chance, so that not all come back at once. */
function pause(
  failures: number,
  asked: number | undefined,
  { baseMs, longestMs }: Required<RetryOptions>,
): number {
  if (asked === undefined) return backOff(failures, baseMs, longestMs);
  return asked + Math.random() * baseMs;
}
