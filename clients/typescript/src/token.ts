import { ApiError } from './errors.js';
import { abortable } from './waiting.js';

/**
 * Returns the session's token, null where nobody is signed in. `renew` says that the
 * last one has expired, and that a kept one will not do.
 */
export type GetToken = (asked: { renew: boolean }) => Promise<string | null> | string | null;

interface Renewal {
  expired: string;
  next: Promise<string | null>;
}

/** Asks for tokens: one question for all that wait, one renewal for each that expired. */
export class Tokens {
  #asking: Promise<string | null> | undefined;
  #renewal: Renewal | undefined;

  constructor(private readonly getToken: GetToken) {}

  /** Makes a request with a token; with a new one, once, if that has expired. */
  async use<T>(
    attempt: (token: string | null) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const token = await abortable(this.#ask(), signal);
    try {
      return await attempt(token);
    } catch (error) {
      if (token === null || !isExpired(error)) throw error;
      const next = await abortable(this.#renew(token), signal);
      if (next === null || next === token) throw error;
      return await attempt(next);
    }
  }

  #ask(): Promise<string | null> {
    this.#asking ??= this.#get(false).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** A renewal is kept, for those who learn later that the same token has expired. */
  #renew(expired: string): Promise<string | null> {
    if (this.#renewal?.expired === expired) return this.#renewal.next;
    const renewal: Renewal = { expired, next: this.#get(true) };
    this.#renewal = renewal;
    const forget = () => {
      if (this.#renewal === renewal) this.#renewal = undefined;
    };
    renewal.next.then((next) => {
      if (next === null || next === expired) forget();
    }, forget);
    return renewal.next;
  }

  async #get(renew: boolean): Promise<string | null> {
    return await this.getToken({ renew });
  }
}

function isExpired(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'token_expired';
}

/**
 * The workspace that a token speaks for: its active organisation, else the person. Read
 * without verification: it only tells apart what this client keeps.
 */
export function workspaceOf(token: string | null): string | undefined {
  const claims = claimsOf(token);
  const active = claims?.o;
  const organisation =
    typeof active === 'object' && active !== null && 'id' in active ? active.id : claims?.org_id;
  const found = organisation ?? claims?.sub;
  return typeof found === 'string' ? found : undefined;
}

function claimsOf(token: string | null): Record<string, unknown> | undefined {
  const payload = token?.split('.')[1];
  if (!payload) return undefined;
  try {
    const text = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return undefined; // no JSON Web Token: the server will say so
  }
}
