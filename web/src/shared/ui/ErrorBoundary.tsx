import { Component, type ReactNode } from "react";

import { text } from "../i18n/index.ts";

/** Shows what broke, in place of an empty page. */
export class ErrorBoundary extends Component<
  { children: ReactNode },
  { error: Error | null }
> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <main className="gate">
        <h1>{text.broken.title}</h1>
        <p role="alert">{error.message}</p>
        <p className="muted">{text.broken.kept}</p>
        <button className="button primary" onClick={() => window.location.reload()}>
          {text.broken.reload}
        </button>
      </main>
    );
  }
}
