import { useNavigate } from "react-router";

import { useAuth, useSession } from "../auth/AuthContext.tsx";
import { text } from "../i18n/index.ts";
import { Icon } from "./Icon.tsx";
import { Menu, type MenuItem } from "./Menu.tsx";

export function AccountMenu() {
  const { workspaces, switchTo, signOut } = useAuth();
  const { name, workspace, role } = useSession();
  const navigate = useNavigate();
  const here = workspaces.find((it) => it.id === workspace)?.name ?? text.personal;
  const others = workspaces.filter((it) => it.id !== workspace);
  const items: MenuItem[] = [
    ...(role === "owner" || role === "member"
      ? [
          {
            label: text.settings.title,
            icon: <Icon name="settings" />,
            onSelect: () => void navigate("/settings"),
          },
        ]
      : []),
    ...others.map((it) => ({
      label: text.switchTo(it.name),
      onSelect: () => switchTo(it.id),
    })),
    { label: text.signOut, onSelect: signOut },
  ];
  return (
    <Menu
      up
      label={text.account(name, here)}
      className="button plain"
      items={items}
      button={
        <>
          <span className="avatar" data-initials={name.slice(0, 2).toUpperCase()} />
          <span>{name}</span>
        </>
      }
    />
  );
}
