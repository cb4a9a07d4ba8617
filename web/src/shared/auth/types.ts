export const ROLES = ["owner", "member", "auditor", "operator"] as const;
export type Role = (typeof ROLES)[number];

/** Somebody who is signed in. The token is asked for, and kept in memory only. */
export interface Session {
  /** Of what this browser keeps for this person in this workspace. */
  key: string;
  userId: string;
  name: string;
  workspace: string | null;
  role: Role;
  getToken: (asked: { renew: boolean }) => Promise<string | null>;
}

export interface SignIn {
  user: string;
  workspace?: string;
  role?: Role;
}

export interface Workspace {
  id: string | null;
  name: string;
}

/** What an issuer offers to the rest of the app. */
export interface Auth {
  session: Session | null;
  /** Teams that this person can switch to; null stands for the person's own space. */
  workspaces: readonly Workspace[];
  switchTo: (workspace: string | null) => void;
  signOut: () => void;
}
