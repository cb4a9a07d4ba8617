import {
  ClerkProvider,
  SignIn,
  useAuth,
  useClerk,
  useOrganizationList,
  useUser,
} from "@clerk/react";
import { type ReactNode, useMemo } from "react";

import { text } from "../i18n/index.ts";
import { AuthContext } from "./AuthContext.tsx";
import { clerkAuth } from "./clerkSession.ts";

interface Props {
  publishableKey: string;
  children: ReactNode;
}

/** Loaded only where a publishable key is configured. */
export default function Clerk({ publishableKey, children }: Props) {
  return (
    <ClerkProvider publishableKey={publishableKey}>
      <Bridge>{children}</Bridge>
    </ClerkProvider>
  );
}

function Bridge({ children }: { children: ReactNode }) {
  const { isLoaded, userId, orgId, orgRole, getToken } = useAuth();
  const { user } = useUser();
  const { setActive, signOut } = useClerk();
  const { userMemberships } = useOrganizationList({ userMemberships: true });
  const name = user?.fullName ?? user?.username;
  const memberships = userMemberships.data;
  const auth = useMemo(
    () =>
      clerkAuth(
        {
          userId,
          orgId,
          orgRole,
          name,
          getToken,
          memberships: memberships ?? [],
          setActive,
          signOut,
        },
        text.personal,
      ),
    [userId, orgId, orgRole, name, getToken, memberships, setActive, signOut],
  );
  if (!isLoaded) return <p className="gate muted">{text.loading}</p>;
  return (
    <AuthContext value={auth}>
      {auth.session ? (
        children
      ) : (
        <main className="gate">
          <SignIn routing="hash" />
        </main>
      )}
    </AuthContext>
  );
}
