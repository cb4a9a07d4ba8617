import { RequireRole } from "../shared/auth/RequireRole.tsx";
import { text } from "../shared/i18n/index.ts";
import { ROOMS } from "../shared/rooms.ts";
import { Shell } from "../shared/ui/Shell.tsx";
import { OpsNavigation } from "./OpsNavigation.tsx";

/** The room's pages; each role sees the rooms that it may enter. */
export default function Ops() {
  return (
    <Shell navigation={<OpsNavigation />}>
      <RequireRole room={text.rooms.ops} roles={ROOMS.ops.roles}>
        <div className="page">
          <header className="page-head">
            <h1>{text.rooms.ops}</h1>
          </header>
          <div className="empty">
            <strong>{text.ops.missing}</strong>
            <p>{text.ops.meanwhile}</p>
          </div>
        </div>
      </RequireRole>
    </Shell>
  );
}
