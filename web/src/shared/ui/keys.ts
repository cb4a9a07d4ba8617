/** Keys of the whole page. */

/** Whether a key belongs to what has the focus: a text, a dialog, a menu. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("dialog, [role=menu]")) return true;
  if (target instanceof HTMLInputElement) return target.type !== "checkbox";
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Such as Alt+ArrowUp, Mod+a, ?; Mod is the command key of a Mac. */
export function nameOf(event: KeyboardEvent): string {
  const { key, altKey, shiftKey } = event;
  const single = key.length === 1;
  const parts = [
    (event.ctrlKey || event.metaKey) && "Mod",
    altKey && "Alt",
    shiftKey && !single && "Shift",
    single ? key.toLowerCase() : key,
  ];
  return parts.filter(Boolean).join("+");
}

/** Runs what a key means; tells whether it means something. */
export function onKey(event: KeyboardEvent, keys: Record<string, () => void>): boolean {
  const run = keys[nameOf(event)];
  run?.();
  return run !== undefined;
}
