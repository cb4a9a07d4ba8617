/** A project's colour; set through the style object model, as the policy demands. */
export function Dot({ colour }: { colour: string | null }) {
  return (
    <span
      className="dot"
      aria-hidden="true"
      style={colour ? { background: colour } : undefined}
    />
  );
}
