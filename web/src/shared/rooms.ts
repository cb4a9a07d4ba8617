/** The rooms of the house, and who may enter. */
import type { Role } from "./auth/types.ts";
import type { IconName } from "./ui/Icon.tsx";

export interface Room {
  path: string;
  icon: IconName;
  roles: readonly Role[];
}

export const ROOMS = {
  app: { path: "/", icon: "app", roles: ["owner", "member"] },
  audit: { path: "/audit", icon: "audit", roles: ["owner", "auditor"] },
  ops: { path: "/ops", icon: "ops", roles: ["operator"] },
} as const satisfies Record<string, Room>;

export type RoomName = keyof typeof ROOMS;

const entries = Object.entries(ROOMS) as [RoomName, Room][];

export const roomsOf = (role: Role): [RoomName, Room][] =>
  entries.filter(([, room]) => room.roles.includes(role));

export const homeOf = (role: Role): string => roomsOf(role)[0]?.[1].path ?? "/";

/** The app is the room of every path that is no other room's. */
export const roomAt = (path: string): RoomName =>
  path.startsWith(ROOMS.audit.path)
    ? "audit"
    : path.startsWith(ROOMS.ops.path)
      ? "ops"
      : "app";
