import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useMemo,
  useRef,
  useState,
} from "react";

export interface Toast {
  message: string;
  action?: { label: string; key?: string; run: () => void };
  /** Something went wrong: said at once to those who listen. */
  alert?: boolean;
}

interface Toasts {
  show: (toast: Toast) => void;
  dismiss: () => void;
}

const LIFETIME_MS = 10_000; // as long as an undo is offered

const Context = createContext<Toasts>({
  show: () => undefined,
  dismiss: () => undefined,
});

export const useToasts = (): Toasts => useContext(Context);

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toast, setToast] = useState<Toast | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const dismiss = useCallback(() => {
    clearTimeout(timer.current);
    setToast(null);
  }, []);
  const show = useCallback((next: Toast) => {
    clearTimeout(timer.current);
    setToast(next);
    timer.current = setTimeout(() => setToast(null), LIFETIME_MS);
  }, []);
  const value = useMemo(() => ({ show, dismiss }), [show, dismiss]);
  return (
    <Context value={value}>
      {children}
      <div className="toasts">
        <div role="status" aria-live="polite" className="hidden">
          {toast && !toast.alert ? toast.message : ""}
        </div>
        <div role="alert" className="hidden">
          {toast?.alert ? toast.message : ""}
        </div>
        {toast && <ToastView toast={toast} onDone={dismiss} />}
      </div>
    </Context>
  );
}

function ToastView({ toast, onDone }: { toast: Toast; onDone: () => void }) {
  const { message, action } = toast;
  return (
    <div className="toast">
      <span>{message}</span>
      {action && (
        <button
          className="button"
          onClick={() => {
            onDone();
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      {action?.key && <kbd aria-hidden="true">{action.key}</kbd>}
    </div>
  );
}
