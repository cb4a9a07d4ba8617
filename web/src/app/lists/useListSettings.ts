/** How lists are shown, kept in this browser and shared by all of its pages. */
import { useSyncExternalStore } from "react";

interface Settings {
  showDone: boolean;
  collapsed: ReadonlySet<string>;
}

const DONE = "metacortex.done";
const COLLAPSED = "metacortex.collapsed";
const listeners = new Set<() => void>();

const read = (): Settings => ({
  showDone: localStorage.getItem(DONE) === "shown",
  collapsed: new Set(JSON.parse(localStorage.getItem(COLLAPSED) ?? "[]") as string[]),
});

let current: Settings | null = null;

function snapshot(): Settings {
  current ??= read();
  return current;
}

function change(next: Partial<Settings>): void {
  current = { ...snapshot(), ...next };
  localStorage.setItem(DONE, current.showDone ? "shown" : "hidden");
  localStorage.setItem(COLLAPSED, JSON.stringify([...current.collapsed]));
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function toggleCollapsed(id: string): void {
  const collapsed = new Set(snapshot().collapsed);
  if (!collapsed.delete(id)) collapsed.add(id);
  change({ collapsed });
}

export function useListSettings() {
  const settings = useSyncExternalStore(subscribe, snapshot);
  return { ...settings, setShowDone: (showDone: boolean) => change({ showDone }) };
}
