/** Puts the cursor into "Add a task", if the page has it. */
export function focusQuickAdd(): boolean {
  const box = document.querySelector<HTMLElement>("[data-quick-add]");
  box?.focus();
  return box !== null;
}
