import "../shared/ui/css/table.css";
import "./ops.css";
import "./runbook/runbook.css";

import { Route, Routes } from "react-router";

import { RequireRole } from "../shared/auth/RequireRole.tsx";
import { useSession } from "../shared/auth/AuthContext.tsx";
import type { Role } from "../shared/auth/types.ts";
import { ops } from "../shared/i18n/en.ops.ts";
import { text } from "../shared/i18n/index.ts";
import { ROOMS } from "../shared/rooms.ts";
import { Shell } from "../shared/ui/Shell.tsx";
import { LiveProvider, useLive } from "./LiveContext.tsx";
import { OpsBottom, OpsNavigation, OpsStatus } from "./OpsNavigation.tsx";
import { ActionsPage } from "./pages/ActionsPage.tsx";
import { ChecksPage } from "./pages/ChecksPage.tsx";
import { DatabasePage } from "./pages/DatabasePage.tsx";
import { FailuresPage } from "./pages/FailuresPage.tsx";
import { OverviewPage } from "./pages/OverviewPage.tsx";
import { ProjectionsPage } from "./pages/ProjectionsPage.tsx";
import { QueuesPage } from "./pages/QueuesPage.tsx";
import { RunbookPage } from "./pages/RunbookPage.tsx";
import { RunPage } from "./pages/RunPage.tsx";
import { RunsPage } from "./pages/RunsPage.tsx";
import { SchedulesPage } from "./pages/SchedulesPage.tsx";
import { WorkersPage } from "./pages/WorkersPage.tsx";

/** The operators' room; whoever else comes is told for whom it is. */
export default function Ops() {
  const { role } = useSession();
  const { roles } = ROOMS.ops;
  if ((roles as readonly Role[]).includes(role))
    return (
      <LiveProvider>
        <Room />
      </LiveProvider>
    );
  return (
    <Shell navigation={null}>
      <RequireRole room={text.rooms.ops} roles={roles}>
        {null}
      </RequireRole>
    </Shell>
  );
}

function Room() {
  const { live } = useLive();
  return (
    <Shell
      navigation={<OpsNavigation />}
      status={<OpsStatus live={live} />}
      bottom={<OpsBottom />}
    >
      <Routes>
        <Route index element={<OverviewPage />} />
        <Route path="runs" element={<RunsPage />} />
        <Route path="runs/:id" element={<RunPage />} />
        <Route path="failures" element={<FailuresPage />} />
        <Route path="schedules" element={<SchedulesPage />} />
        <Route path="queues" element={<QueuesPage />} />
        <Route path="workers" element={<WorkersPage />} />
        <Route path="projections" element={<ProjectionsPage />} />
        <Route path="checks" element={<ChecksPage />} />
        <Route path="database" element={<DatabasePage />} />
        <Route path="actions" element={<ActionsPage />} />
        <Route path="runbook" element={<RunbookPage />} />
        <Route path="*" element={<NoSuchPage />} />
      </Routes>
    </Shell>
  );
}

function NoSuchPage() {
  return (
    <div className="page ops">
      <h1>{text.noSuchPage.title}</h1>
      <p className="muted">{ops.noPage}</p>
    </div>
  );
}
