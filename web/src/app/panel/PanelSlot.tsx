import { lazy, Suspense } from "react";
import { useSearchParams } from "react-router";

const TaskPanel = lazy(() => import("./TaskPanel.tsx"));

/** The panel stands in the address, so that a task can be linked. */
export function PanelSlot() {
  const [params] = useSearchParams();
  const id = params.get("task");
  if (!id) return null;
  return (
    <Suspense fallback={<div className="aside" />}>
      <TaskPanel key={id} id={id} />
    </Suspense>
  );
}
