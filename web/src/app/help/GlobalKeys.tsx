import { lazy, Suspense, useEffect, useEffectEvent, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";

import { isTyping, onKey } from "../../shared/ui/keys.ts";
import { focusQuickAdd } from "../quickadd/focus.ts";
import { useActions } from "../useActions.ts";

const HelpDialog = lazy(() => import("./HelpDialog.tsx"));

const PLACES: Record<string, string> = {
  i: "/",
  t: "/today",
  u: "/upcoming",
  a: "/all",
  d: "/completed",
  s: "/settings",
};
const CHORD_MS = 1200; // after "g", for the second key

/** The keys that work in every list; `?` shows them. */
export function GlobalKeys() {
  const [help, setHelp] = useState(false);
  const [chord, setChord] = useState(0);
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const { undoLast } = useActions();

  const search = () => {
    const box = document.querySelector<HTMLInputElement>("[data-search]");
    if (box && box.offsetParent !== null) box.focus();
    else void navigate("/search");
  };
  const closePanel = () =>
    setParams((old) => {
      old.delete("task");
      old.delete("version");
      return old;
    });
  const handle = useEffectEvent((event: KeyboardEvent) => {
    if (isTyping(event) || event.defaultPrevented) return;
    const keys: Record<string, () => void> = {
      "/": search,
      "?": () => setHelp(true),
      z: () => void undoLast(),
      q: () => void (focusQuickAdd() || navigate("/", { state: { add: true } })),
      g: () => setChord(Date.now()),
    };
    if (Date.now() - chord < CHORD_MS)
      for (const [key, path] of Object.entries(PLACES))
        keys[key] = () => {
          setChord(0);
          void navigate(path);
        };
    if (params.has("task")) keys["Escape"] = closePanel;
    if (onKey(event, keys)) event.preventDefault();
  });
  useEffect(() => {
    document.addEventListener("keydown", handle);
    return () => document.removeEventListener("keydown", handle);
  }, []);
  if (!help) return null;
  return (
    <Suspense fallback={null}>
      <HelpDialog onClose={() => setHelp(false)} />
    </Suspense>
  );
}
