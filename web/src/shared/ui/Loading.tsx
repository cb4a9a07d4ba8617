import { text } from "../i18n/index.ts";

export function Loading() {
  return (
    <p className="gate muted" role="status">
      {text.loading}
    </p>
  );
}
