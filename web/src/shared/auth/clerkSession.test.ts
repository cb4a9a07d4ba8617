import type { useClerk } from "@clerk/react";
import type { UseAuthReturn } from "@clerk/shared/types";
import { describe, expect, expectTypeOf, it } from "vitest";

import { clerkAuth, clerkSession, type ClerkState, roleOf } from "./clerkSession.ts";

function state(more: Partial<ClerkState> = {}): ClerkState {
  return {
    userId: "user_2abc",
    orgId: null,
    orgRole: null,
    name: "Ada Lovelace",
    getToken: () => Promise.resolve("token"),
    memberships: [{ organization: { id: "org_1", name: "Analytical Engines" } }],
    setActive: () => Promise.resolve(),
    signOut: () => Promise.resolve(),
    ...more,
  };
}

describe("Clerk", () => {
  it("has the types that the adapter asks for", () => {
    type SignedIn = Extract<UseAuthReturn, { isSignedIn: true; orgId: string }>;
    expectTypeOf<SignedIn["getToken"]>().toExtend<ClerkState["getToken"]>();
    expectTypeOf<SignedIn["userId"]>().toExtend<ClerkState["userId"]>();
    expectTypeOf<SignedIn["orgRole"]>().toExtend<ClerkState["orgRole"]>();
    type Clerk = ReturnType<typeof useClerk>;
    expectTypeOf<Clerk["setActive"]>().toExtend<ClerkState["setActive"]>();
    expectTypeOf<Clerk["signOut"]>().toExtend<ClerkState["signOut"]>();
  });

  it("is a session for whoever is signed in", async () => {
    const session = clerkSession(state());
    expect(session).toMatchObject({
      userId: "user_2abc",
      role: "owner",
      workspace: null,
    });
    await expect(session?.getToken({ renew: false })).resolves.toBe("token");
    expect(clerkSession(state({ userId: null }))).toBeNull();
  });

  it("asks for a new token when the last one has expired", async () => {
    const asked: object[] = [];
    const getToken: ClerkState["getToken"] = (options) => {
      asked.push(options);
      return Promise.resolve("fresh");
    };
    await clerkSession(state({ getToken }))?.getToken({ renew: true });
    expect(asked).toEqual([{ skipCache: true }]);
  });

  it("keeps apart what it keeps for each workspace and role", () => {
    const keys = [
      clerkSession(state())?.key,
      clerkSession(state({ orgId: "org_1", orgRole: "org:admin" }))?.key,
      clerkSession(state({ orgId: "org_1", orgRole: "org:auditor" }))?.key,
    ];
    expect(new Set(keys).size).toBe(3);
  });

  it.each([
    [null, null, "owner"],
    ["org_1", "org:admin", "owner"],
    ["org_1", "org:member", "member"],
    ["org_1", "org:auditor", "auditor"],
    ["org_1", "org:unheard_of", "member"],
  ])("role in %s as %s is %s", (orgId, orgRole, role) => {
    expect(roleOf(orgId, orgRole)).toBe(role);
  });

  it("switches to an organisation, and back", () => {
    const asked: object[] = [];
    const setActive: ClerkState["setActive"] = (options) => {
      asked.push(options);
      return Promise.resolve();
    };
    const auth = clerkAuth(state({ setActive }), "Personal");
    expect(auth.workspaces.map((it) => it.name)).toEqual([
      "Personal",
      "Analytical Engines",
    ]);
    auth.switchTo("org_1");
    auth.switchTo(null);
    expect(asked).toEqual([{ organization: "org_1" }, { organization: null }]);
  });
});
