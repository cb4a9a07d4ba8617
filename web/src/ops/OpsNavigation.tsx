import { NavLink } from "react-router";

import { text } from "../shared/i18n/index.ts";
import { ROOMS } from "../shared/rooms.ts";
import { Icon } from "../shared/ui/Icon.tsx";

export function OpsNavigation() {
  return (
    <nav aria-label={text.ops.navigation}>
      <NavLink className="nav-link" to={ROOMS.ops.path} end>
        <Icon name={ROOMS.ops.icon} />
        <span className="nav-name">{text.ops.overview}</span>
      </NavLink>
    </nav>
  );
}
