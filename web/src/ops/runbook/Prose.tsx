import { useEffect, useRef } from "react";
import { useNavigate } from "react-router";

/** A part of the runbook, made from our own file when the app was built. */
export function Prose({ html }: { html: string }) {
  const host = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  useEffect(() => {
    const element = host.current;
    // Links inside stay in the room, as the router's own do.
    const follow = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      void navigate(link.pathname + link.hash);
    };
    element?.addEventListener("click", follow);
    return () => element?.removeEventListener("click", follow);
  }, [navigate]);
  return (
    <div className="ops-prose" ref={host} dangerouslySetInnerHTML={{ __html: html }} />
  );
}
