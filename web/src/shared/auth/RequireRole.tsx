import type { ReactNode } from "react";

import { text } from "../i18n/index.ts";
import { useSession } from "./AuthContext.tsx";
import type { Role } from "./types.ts";

interface Props {
  room: string;
  roles: readonly Role[];
  children: ReactNode;
}

/** Says which role a room needs, in place of the room. The API decides for itself. */
export function RequireRole({ room, roles, children }: Props) {
  const { role } = useSession();
  if (roles.includes(role)) return children;
  return (
    <div className="page">
      <header className="page-head">
        <h1>{room}</h1>
      </header>
      <div className="empty">
        <strong>{text.needsRole.title}</strong>
        <p>
          {text.needsRole.why(
            roles.map((it) => text.roles[it]),
            text.roles[role],
          )}
        </p>
      </div>
    </div>
  );
}
