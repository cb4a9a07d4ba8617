/** The development issuer: tokens for a name, from `POST /dev/token`. */
import { NetworkError } from "@metacortex/client";

import type { Role, Session, SignIn } from "./types.ts";

const KEY = "metacortex.development";
const TEAMS = "metacortex.development.teams";
const REFUSALS = [400, 403, 404, 422];
const EARLY_MS = 15_000; // a token is renewed before it expires under way

interface Issued {
  token: string;
  /** Seconds since 1970. */
  expires_at: number;
  user_id: string;
  workspace_id: string;
  role: Role;
}

/** Who was signed in last: a name, never a token. */
export function rememberedSignIn(): SignIn | null {
  const found = localStorage.getItem(KEY);
  return found ? (JSON.parse(found) as SignIn) : null;
}

export function remember(signIn: SignIn | null): void {
  if (!signIn) return localStorage.removeItem(KEY);
  localStorage.setItem(KEY, JSON.stringify(signIn));
  if (!signIn.workspace) return;
  const teams = new Set([...rememberedTeams(), signIn.workspace]);
  localStorage.setItem(TEAMS, JSON.stringify([...teams]));
}

export function rememberedTeams(): string[] {
  return JSON.parse(localStorage.getItem(TEAMS) ?? "[]") as string[];
}

export class SignInRefused extends Error {
  override name = "SignInRefused";
}

export async function issue(signIn: SignIn): Promise<Issued> {
  let answer: Response;
  try {
    answer = await fetch("/dev/token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(signIn),
    });
  } catch (error) {
    throw new NetworkError(error);
  }
  const body = (await answer.json().catch(() => null)) as {
    data: Issued | null;
    errors?: { detail: string }[];
  } | null;
  if (answer.ok && body?.data) return body.data;
  const why = body?.errors?.[0]?.detail ?? `the issuer answers ${answer.status}`;
  // Only a whole answer that says no is one; a page that is being left gets half of it.
  if (body && REFUSALS.includes(answer.status)) throw new SignInRefused(why);
  throw new NetworkError(why);
}

export const displayName = (user: string): string =>
  user.charAt(0).toUpperCase() + user.slice(1);

/** `onRefused` is told when the issuer no longer knows who this is. */
export function developmentSession(
  signIn: SignIn,
  first: Issued | undefined,
  onRefused: () => void,
): Session {
  let held = first;
  let asking: Promise<Issued> | null = null;
  const { user, workspace = null, role = "owner" } = signIn;
  return {
    key: [user, workspace ?? "", role].join("|"),
    userId: `user_${user}`,
    name: displayName(user),
    workspace,
    role,
    getToken: async ({ renew }) => {
      const fresh = held && held.expires_at * 1000 - Date.now() > EARLY_MS;
      if (held && fresh && !renew) return held.token;
      asking ??= issue(signIn)
        .catch((error: unknown) => {
          if (error instanceof SignInRefused) onRefused();
          throw error;
        })
        .finally(() => (asking = null));
      held = await asking;
      return held.token;
    },
  };
}
