/** From what Clerk's React library says to a session of the app. */
import type { Auth, Role, Session } from "./types.ts";

/** The parts of Clerk's hooks that are used; a stand-in in tests has the same types. */
export interface ClerkState {
  userId: string | null | undefined;
  orgId: string | null | undefined;
  orgRole: string | null | undefined;
  name: string | null | undefined;
  getToken: (options: { skipCache: boolean }) => Promise<string | null>;
  memberships: readonly { organization: { id: string; name: string } }[];
  setActive: (options: { organization: string | null }) => Promise<unknown>;
  signOut: () => Promise<unknown>;
}

const ORGANISATION_ROLES: Record<string, Role> = {
  owner: "owner",
  admin: "owner",
  member: "member",
  basic_member: "member",
  auditor: "auditor",
  operator: "operator",
};

/** The API reads the role off the token; here it only decides what is offered. */
export function roleOf(
  orgId: string | null | undefined,
  orgRole: string | null | undefined,
): Role {
  if (!orgId) return "owner";
  return ORGANISATION_ROLES[(orgRole ?? "").replace(/^org:/, "")] ?? "member";
}

export function clerkSession(state: ClerkState): Session | null {
  const { userId, orgId, orgRole, name, getToken } = state;
  if (!userId) return null;
  const role = roleOf(orgId, orgRole);
  return {
    key: [userId, orgId ?? "", role].join("|"),
    userId,
    name: name ?? userId,
    workspace: orgId ?? null,
    role,
    getToken: ({ renew }) => getToken({ skipCache: renew }),
  };
}

export function clerkAuth(state: ClerkState, personal: string): Auth {
  const teams = state.memberships.map(({ organization: { id, name } }) => ({
    id,
    name,
  }));
  return {
    session: clerkSession(state),
    workspaces: [{ id: null, name: personal }, ...teams],
    switchTo: (organization) => void state.setActive({ organization }),
    signOut: () => void state.signOut(),
  };
}
