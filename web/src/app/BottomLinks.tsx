import { NavLink, useNavigate } from "react-router";

import { text } from "../shared/i18n/index.ts";
import { Icon } from "../shared/ui/Icon.tsx";
import { focusQuickAdd } from "./quickadd/focus.ts";

/** The bar at the bottom of narrow pages. */
export function BottomLinks() {
  const navigate = useNavigate();
  const add = () => {
    if (!focusQuickAdd()) void navigate("/", { state: { add: true } });
  };
  return (
    <>
      <NavLink className="bottom-link" to="/today" aria-label={text.lists.today}>
        <Icon name="today" size={20} />
      </NavLink>
      <NavLink className="bottom-link" to="/" end aria-label={text.lists.inbox}>
        <Icon name="inbox" size={20} />
      </NavLink>
      <button className="bottom-link add" aria-label={text.addTask} onClick={add}>
        <Icon name="plus" size={22} />
      </button>
      <NavLink className="bottom-link" to="/search" aria-label={text.search}>
        <Icon name="search" size={20} />
      </NavLink>
    </>
  );
}
