import { useMemo } from "react";

import { toHtml } from "./markdown.ts";

/** Text that people wrote, as they meant it: nothing in it runs or loads. */
export function Markdown({ source }: { source: string }) {
  const html = useMemo(() => toHtml(source), [source]);
  // Sanitised by markdown.ts, which is tested with what attackers write.
  return <div className="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
