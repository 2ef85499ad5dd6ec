import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from 'react';

type Toast = Readonly<{ id: number; text: string; isError: boolean }>;
type Say = (text: string, options?: Readonly<{ isError?: boolean }>) => void;

const SHOWN_MS = 6_000;
const ToastContext = createContext<Say>(() => undefined);

/** Says something at the edge of the page for some seconds. */
export function useToast(): Say {
  return useContext(ToastContext);
}

/** Shows what is said below it; a screen reader reads it out. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const nextId = useRef(0);
  const say = useCallback<Say>((text, { isError = false } = {}) => {
    const id = nextId.current++;
    setToasts((shown) => [...shown, { id, text, isError }]);
  }, []);
  const drop = useCallback((id: number) => setToasts((shown) => shown.filter((toast) => toast.id !== id)), []);
  return (
    <ToastContext value={say}>
      {children}
      <div className="toasts" role="status" popover="manual" ref={showOnTop}>
        {toasts.map((toast) => (
          <ToastLine key={toast.id} toast={toast} onDone={drop} />
        ))}
      </div>
    </ToastContext>
  );
}

/** Above dialogs as well: a popover that is shown later lies higher. */
function showOnTop(element: HTMLDivElement | null): void {
  if (element?.isConnected) element.showPopover();
}

function ToastLine({ toast: { id, text, isError }, onDone }: { toast: Toast; onDone: (id: number) => void }) {
  useEffect(() => {
    const timer = setTimeout(() => onDone(id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, onDone]);
  return <p className={isError ? 'toast error' : 'toast'}>{text}</p>;
}
