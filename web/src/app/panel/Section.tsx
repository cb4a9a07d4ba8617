import { type ReactNode, useId } from "react";

interface Props {
  title: string;
  count?: string | null;
  children: ReactNode;
}

export function Section({ title, count, children }: Props) {
  const id = useId();
  return (
    <section className="panel-section" aria-labelledby={id}>
      <h3>
        <span id={id}>{title}</span>
        {count && <span className="number muted">{count}</span>}
      </h3>
      {children}
    </section>
  );
}
