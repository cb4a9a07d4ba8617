import { type ReactNode, useState } from "react";
import { Link, useLocation } from "react-router";

import { useSession } from "../auth/AuthContext.tsx";
import { text } from "../i18n/index.ts";
import { roomAt, roomsOf } from "../rooms.ts";
import { AccountMenu } from "./AccountMenu.tsx";
import { Icon } from "./Icon.tsx";

interface Props {
  /** The navigation of the room, above that between rooms. */
  navigation: ReactNode;
  /** Beside the account: whether what one sees is live. */
  status?: ReactNode;
  /** Buttons of the bar at the bottom of narrow pages, beside the menu's. */
  bottom?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
}

export const MAIN = "main";

/** The frame of a room: navigation, the page, and what stands beside it. */
export function Shell({ navigation, status, bottom, aside, children }: Props) {
  const { pathname } = useLocation();
  // The drawer of narrow pages closes when one goes somewhere.
  const [openAt, setOpenAt] = useState<string | null>(null);
  const open = openAt === pathname;
  const setOpen = (next: boolean) => setOpenAt(next ? pathname : null);
  return (
    <div className="shell">
      <a className="skip" href={`#${MAIN}`}>
        {text.skip}
      </a>
      {open && (
        <button
          className="scrim"
          aria-label={text.close}
          onClick={() => setOpen(false)}
        />
      )}
      <div className={open ? "side open" : "side"}>
        <p className="brand">
          <span className="brand-mark" /> MetaCortex
        </p>
        {navigation}
        <RoomLinks />
        <span className="grow" />
        <div className="side-foot">
          <AccountMenu />
          {status}
        </div>
      </div>
      <main className="main" id={MAIN} tabIndex={-1}>
        {children}
      </main>
      {aside}
      <div className="bottom">
        {bottom}
        <button
          className="bottom-link"
          aria-label={text.menu}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="menu" size={20} />
        </button>
      </div>
    </div>
  );
}

function RoomLinks() {
  const { role } = useSession();
  const { pathname } = useLocation();
  const here = roomAt(pathname);
  return (
    <nav aria-label={text.rooms.title}>
      <h2>{text.rooms.title}</h2>
      {roomsOf(role).map(([name, room]) => (
        <Link
          key={name}
          className="nav-link"
          to={room.path}
          aria-current={name === here ? "true" : undefined}
        >
          <Icon name={room.icon} />
          <span className="nav-name">{text.rooms[name]}</span>
        </Link>
      ))}
    </nav>
  );
}
