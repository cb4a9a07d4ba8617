import "./app.css";

import { lazy, Suspense } from "react";
import { Route, Routes } from "react-router";

import { text } from "../shared/i18n/index.ts";
import { SyncProvider } from "../shared/sync/SyncContext.tsx";
import { ClockProvider } from "../shared/time/ClockContext.tsx";
import { Loading } from "../shared/ui/Loading.tsx";
import { Shell } from "../shared/ui/Shell.tsx";
import { AppNavigation } from "./AppNavigation.tsx";
import { BottomLinks } from "./BottomLinks.tsx";
import { ConnectionStatus } from "./ConnectionStatus.tsx";
import { ListPage } from "./lists/ListPage.tsx";
import { PanelSlot } from "./panel/PanelSlot.tsx";
import { GlobalKeys } from "./help/GlobalKeys.tsx";

const SearchPage = lazy(() => import("./search/SearchPage.tsx"));
const SettingsPage = lazy(() => import("./settings/SettingsPage.tsx"));

/** The room where one lives. */
export function App() {
  return (
    <SyncProvider>
      <ClockProvider>
        <Shell
          navigation={<AppNavigation />}
          status={<ConnectionStatus />}
          bottom={<BottomLinks />}
          aside={<PanelSlot />}
        >
          <Suspense fallback={<Loading />}>
            <Routes>
              <Route index element={<ListPage kind="inbox" />} />
              <Route path="today" element={<ListPage kind="today" />} />
              <Route path="upcoming" element={<ListPage kind="upcoming" />} />
              <Route path="all" element={<ListPage kind="all" />} />
              <Route path="completed" element={<ListPage kind="completed" />} />
              <Route path="project/:id" element={<ListPage kind="project" />} />
              <Route path="tag/:id" element={<ListPage kind="tag" />} />
              <Route path="search" element={<SearchPage />} />
              <Route path="settings" element={<SettingsPage />} />
              <Route path="*" element={<NoSuchPage />} />
            </Routes>
          </Suspense>
        </Shell>
        <GlobalKeys />
      </ClockProvider>
    </SyncProvider>
  );
}

function NoSuchPage() {
  return (
    <div className="page">
      <header className="page-head">
        <h1>{text.noSuchPage.title}</h1>
      </header>
      <p className="muted">{text.noSuchPage.why}</p>
    </div>
  );
}
