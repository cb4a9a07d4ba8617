/** The icons, drawn on a grid of 16; a name stands beside or in a label. */
const PATHS = {
  inbox: "M2 9.5h3.2l1.2 2h3.2l1.2-2H14M2 9.5 4 3.5h8l2 6v3H2z",
  today:
    "M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M12.6 3.4l-1.4 1.4M4.8 11.2l-1.4 1.4M10.6 8a2.6 2.6 0 1 1-5.2 0 2.6 2.6 0 0 1 5.2 0z",
  upcoming: "M2.5 4h11v9.5h-11zM2.5 7h11M5.5 2.2V5M10.5 2.2V5",
  all: "M2.5 4h11M2.5 8h11M2.5 12h11",
  done: "M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM5.7 8.1l1.7 1.7 3-3.4",
  search: "M11 7a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM10 10l3.5 3.5",
  plus: "M8 3v10M3 8h10",
  tag: "M5.8 2.5 4.6 13.5M11.4 2.5l-1.2 11M2.8 5.8h11M2.2 10.2h11",
  app: "M3 8.2 6.6 12 13 4.5",
  audit: "M8 1.8 13 4v4c0 3.2-2.2 5.2-5 6.2C5.2 13.2 3 11.2 3 8V4zM5.9 8l1.5 1.5 2.8-3",
  ops: "M1.8 8h2.7L6.3 3.5l3.2 9L11.3 8h2.9",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  close: "M4 4l8 8M12 4l-8 8",
  chevron: "M6 4l4 4-4 4",
  grip: "M6 4.2v.1M10 4.2v.1M6 8v.1M10 8v.1M6 11.8v.1M10 11.8v.1",
  more: "M3.6 8h.1M8 8h.1M12.4 8h.1",
  trash: "M2.8 4.2h10.4M6.2 4V2.5h3.6V4M4 4.2l.7 9.3h6.6l.7-9.3",
  edit: "M3 13l.6-2.8L10.8 3 13 5.2 5.8 12.4zM9.4 4.4l2.2 2.2",
  undo: "M5.5 3 2.8 5.8l2.7 2.7M3 5.8h6.2a3.6 3.6 0 0 1 0 7.2H6",
  history: "M2.6 8a5.4 5.4 0 1 0 1.7-3.9L2.6 5.6M2.6 2.8v2.8h2.8M8 5v3.2l2.2 1.4",
  board: "M2.5 3h3v10h-3zM6.9 3h3v6.5h-3zM11.2 3h2.4v8h-2.4z",
  settings:
    "M2.5 4.5h6.2M12 4.5h1.5M2.5 11.5H4M7.3 11.5h6.2M12 4.5a1.6 1.6 0 1 1-3.3 0 1.6 1.6 0 0 1 3.3 0zM7.3 11.5a1.6 1.6 0 1 1-3.3 0 1.6 1.6 0 0 1 3.3 0z",
  flag: "M3.5 14V2.8h8.2L10 5.6l1.7 2.8H3.5",
  enter: "M12.5 4v4.5h-9M6 6 3.5 8.5 6 11",
  comment: "M2.5 3.2h11v7.6H7.4L4.6 13v-2.2H2.5z",
  help: "M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.8v.1M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === "grip" || name === "more" ? 2 : 1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
