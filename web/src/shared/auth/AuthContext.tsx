import {
  createContext,
  lazy,
  type ReactNode,
  useCallback,
  useContext,
  useMemo,
  useState,
} from "react";

import { useMeta } from "../api/meta.ts";
import { text } from "../i18n/index.ts";
import {
  developmentSession,
  issue,
  remember,
  rememberedSignIn,
  rememberedTeams,
} from "./development.ts";
import type { Auth, SignIn } from "./types.ts";

const Clerk = lazy(() => import("./clerk.tsx"));
const SignInPage = lazy(() => import("./SignInPage.tsx"));

export const AuthContext = createContext<Auth | null>(null);

export function useAuth(): Auth {
  const auth = useContext(AuthContext);
  if (!auth) throw new Error("useAuth needs an AuthProvider");
  return auth;
}

export function useSession() {
  const { session } = useAuth();
  if (!session) throw new Error("useSession needs somebody who is signed in");
  return session;
}

/** Clerk where a key is configured, else the development issuer; else nobody can enter. */
export function AuthProvider({ children }: { children: ReactNode }) {
  const meta = useMeta();
  const key = meta.data?.clerk_publishable_key;
  if (key) return <Clerk publishableKey={key}>{children}</Clerk>;
  if (meta.data?.issuer === "development" || rememberedSignIn())
    return <DevelopmentAuth>{children}</DevelopmentAuth>;
  if (meta.isPending) return <p className="gate muted">{text.loading}</p>;
  return (
    <main className="gate">
      <h1>MetaCortex</h1>
      <p role="alert">
        {meta.isError ? text.signIn.unreachable : text.signIn.noIssuer}
      </p>
      <button className="button" onClick={() => void meta.refetch()}>
        {text.retry}
      </button>
    </main>
  );
}

function DevelopmentAuth({ children }: { children: ReactNode }) {
  const [signIn, setSignIn] = useState(rememberedSignIn);
  const [issued, setIssued] = useState<Awaited<ReturnType<typeof issue>>>();

  const enter = useCallback(async (next: SignIn) => {
    setIssued(await issue(next));
    remember(next);
    setSignIn(next);
  }, []);
  const leave = useCallback(() => {
    remember(null);
    setIssued(undefined);
    setSignIn(null);
  }, []);
  const auth = useMemo<Auth>(() => {
    const teams = rememberedTeams().map((it) => ({ id: it, name: it }));
    return {
      session: signIn && developmentSession(signIn, issued, leave),
      workspaces: [{ id: null, name: text.personal }, ...teams],
      switchTo: (workspace) => {
        if (!signIn) return;
        const { user, role } = signIn;
        const next: SignIn = {
          user,
          ...(role && { role }),
          ...(workspace && { workspace }),
        };
        void enter(next);
      },
      signOut: leave,
    };
  }, [signIn, issued, enter, leave]);
  return (
    <AuthContext value={auth}>
      {auth.session ? children : <SignInPage onSignIn={enter} />}
    </AuthContext>
  );
}
