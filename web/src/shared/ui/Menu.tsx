import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";

export interface MenuItem {
  label: string;
  icon?: ReactNode;
  onSelect: () => void;
}

interface Props {
  label: string;
  button: ReactNode;
  className?: string;
  items: readonly MenuItem[];
  up?: boolean;
  end?: boolean;
  /** Keys of the button, for what the menu offers as well. */
  onKeyDown?: (event: KeyboardEvent) => void;
}

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };

/** A button with a menu, after the ARIA practice of that name. */
export function Menu(props: Props) {
  const { label, button, className = "button", items, up, end, onKeyDown } = props;
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    root.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const close = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, [open]);

  const shut = () => {
    setOpen(false);
    root.current?.querySelector<HTMLElement>("button")?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape") return shut();
    if (event.key === "Tab") return setOpen(false);
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = [
      ...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? []),
    ];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  return (
    <div className="menu" ref={root}>
      <button
        className={className}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={label}
        onKeyDown={onKeyDown}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div
          role="menu"
          tabIndex={-1}
          aria-label={label}
          className={`menu-items ${up ? "up" : "down"} ${end ? "end" : ""}`}
          onKeyDown={keys}
        >
          {items.map((item) => (
            <button
              key={item.label}
              role="menuitem"
              tabIndex={-1}
              className="menu-item"
              onClick={() => {
                shut();
                item.onSelect();
              }}
            >
              {item.icon}
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
