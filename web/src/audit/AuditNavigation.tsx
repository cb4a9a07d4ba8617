import { NavLink } from "react-router";

import { text } from "../shared/i18n/index.ts";
import { ROOMS } from "../shared/rooms.ts";
import { Icon } from "../shared/ui/Icon.tsx";

export function AuditNavigation() {
  return (
    <nav aria-label={text.audit.navigation}>
      <NavLink className="nav-link" to={ROOMS.audit.path} end>
        <Icon name={ROOMS.audit.icon} />
        <span className="nav-name">{text.audit.overview}</span>
      </NavLink>
    </nav>
  );
}
