import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { BrowserRouter, Navigate, Route, Routes } from "react-router";

import { App } from "./app/App.tsx";
import { ApiProvider } from "./shared/api/ApiContext.tsx";
import { AuthProvider, useSession } from "./shared/auth/AuthContext.tsx";
import type { Role } from "./shared/auth/types.ts";
import { RequireRole } from "./shared/auth/RequireRole.tsx";
import { text } from "./shared/i18n/index.ts";
import { ErrorBoundary } from "./shared/ui/ErrorBoundary.tsx";
import { Loading } from "./shared/ui/Loading.tsx";
import { Shell } from "./shared/ui/Shell.tsx";
import { ToastProvider } from "./shared/ui/Toasts.tsx";
import { homeOf, ROOMS } from "./shared/rooms.ts";

const Audit = lazy(() => import("./audit/Audit.tsx"));
const Ops = lazy(() => import("./ops/Ops.tsx"));

const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: 1, staleTime: 5_000, networkMode: "always" },
  },
});

/** The house: who is there, and the way to each room. */
export function House() {
  return (
    <ErrorBoundary>
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <ToastProvider>
            <AuthProvider>
              <Rooms />
            </AuthProvider>
          </ToastProvider>
        </BrowserRouter>
      </QueryClientProvider>
    </ErrorBoundary>
  );
}

function Rooms() {
  const { key, role } = useSession();
  const home = homeOf(role);
  return (
    <ApiProvider key={key}>
      <Suspense fallback={<Loading />}>
        <Routes>
          <Route path="/audit/*" element={<Audit />} />
          <Route path="/ops/*" element={<Ops />} />
          {home !== "/" && <Route index element={<Navigate to={home} replace />} />}
          <Route path="*" element={<AppRoom />} />
        </Routes>
      </Suspense>
    </ApiProvider>
  );
}

function AppRoom() {
  const { role } = useSession();
  const { roles } = ROOMS.app;
  if ((roles as readonly Role[]).includes(role)) return <App />;
  return (
    <Shell navigation={null}>
      <RequireRole room={text.rooms.app} roles={roles}>
        {null}
      </RequireRole>
    </Shell>
  );
}
