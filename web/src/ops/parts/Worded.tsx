import { Link } from "react-router";

const PARTS = /(`[^`]+`|\/ops\/runbook#[a-z0-9-]+)/;

/** What a check or the log says: commands in it as code, places in the runbook as links. */
export function Worded({ children }: { children: string }) {
  return children.split(PARTS).map((part, index) => {
    if (part.startsWith("`")) return <code key={index}>{part.slice(1, -1)}</code>;
    if (!PARTS.test(part)) return part;
    return (
      <Link className="ops-link" key={index} to={part}>
        {part.slice(part.indexOf("#"))}
      </Link>
    );
  });
}
