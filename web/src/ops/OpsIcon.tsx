/** The room's own icons, on the grid of the shared ones; they load with the room. */
const PATHS = {
  overview: "M1.8 8h2.7L6.3 3.5l3.2 9L11.3 8h2.9",
  runs: "M4.5 3v10l8-5z",
  failures: "M8 2.2 14.3 13H1.7zM8 6.4v3.2M8 11.4v.1",
  schedules: "M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM8 5v3.2l2.2 1.4",
  queues: "M2.5 3h11v2.6h-11zM2.5 6.8h11v2.6h-11zM2.5 10.6h11v2.6h-11z",
  workers: "M4 4h8v8H4zM6.5 6.5h3v3h-3zM6 1.8V4M10 1.8V4M6 12v2.2M10 12v2.2",
  projections: "M2 5h10M9.5 2.5 12 5 9.5 7.5M14 11H4M6.5 8.5 4 11l2.5 2.5",
  checks: "M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM5.7 8.1l1.7 1.7 3-3.4",
  database:
    "M13 4.2c0 1.2-2.2 2.2-5 2.2S3 5.4 3 4.2 5.2 2 8 2s5 1 5 2.2zM3 4.2v7.6C3 13 5.2 14 8 14s5-1 5-2.2V4.2M3 8c0 1.2 2.2 2.2 5 2.2S13 9.2 13 8",
  runbook:
    "M8 4.2C6.5 3.2 4.5 2.9 2.5 3v9.2c2-.1 4 .2 5.5 1.2 1.5-1 3.5-1.3 5.5-1.2V3c-2-.1-4 .2-5.5 1.2zM8 4.2v9.2",
  actions: "M3 13l.6-2.8L10.8 3 13 5.2 5.8 12.4zM9.4 4.4l2.2 2.2",
} as const;

export type OpsIconName = keyof typeof PATHS;

export function OpsIcon({ name, size = 16 }: { name: OpsIconName; size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
