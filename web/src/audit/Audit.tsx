import { RequireRole } from "../shared/auth/RequireRole.tsx";
import { text } from "../shared/i18n/index.ts";
import { ROOMS } from "../shared/rooms.ts";
import { Shell } from "../shared/ui/Shell.tsx";
import { AuditNavigation } from "./AuditNavigation.tsx";

/** The room's pages; each role sees the rooms that it may enter. */
export default function Audit() {
  return (
    <Shell navigation={<AuditNavigation />}>
      <RequireRole room={text.rooms.audit} roles={ROOMS.audit.roles}>
        <div className="page">
          <header className="page-head">
            <h1>{text.rooms.audit}</h1>
          </header>
          <div className="empty">
            <strong>{text.audit.missing}</strong>
            <p>{text.audit.meanwhile}</p>
          </div>
        </div>
      </RequireRole>
    </Shell>
  );
}
