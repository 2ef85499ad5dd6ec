import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from 'react';
import { createPortal } from 'react-dom';

type Toast = Readonly<{ id: number; text: string; isError: boolean }>;
type Say = (text: string, options?: Readonly<{ isError?: boolean }>) => void;

const SHOWN_MS = 6_000;
const ToastContext = createContext<Say>(() => undefined);

const PlaceContext = createContext<(dialog: Element | null) => void>(() => undefined);

/** While a modal dialog is open nothing outside of it is seen or heard: what is said is said in it. Null: it is closed. */
export function useToastPlace(): (dialog: Element | null) => void {
  return useContext(PlaceContext);
}

/** Says something at the edge of the page for some seconds. */
export function useToast(): Say {
  return useContext(ToastContext);
}

/** Shows what is said below it; a screen reader reads it out. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const [place, setPlace] = useState<Element | null>(null);
  const nextId = useRef(0);
  const say = useCallback<Say>((text, { isError = false } = {}) => {
    const id = nextId.current++;
    setToasts((shown) => [...shown, { id, text, isError }]);
  }, []);
  const drop = useCallback((id: number) => setToasts((shown) => shown.filter((toast) => toast.id !== id)), []);
  return (
    <ToastContext value={say}>
      <PlaceContext value={setPlace}>
        {children}
        <Toasts toasts={place === null ? toasts : []} onDone={drop} />
        {place !== null && createPortal(<Toasts toasts={toasts} onDone={drop} />, place)}
      </PlaceContext>
    </ToastContext>
  );
}

function Toasts({ toasts, onDone }: { toasts: readonly Toast[]; onDone: (id: number) => void }) {
  return (
    <div className="toasts" role="status" popover="manual" ref={showOnTop}>
      {toasts.map((toast) => (
        <ToastLine key={toast.id} toast={toast} onDone={onDone} />
      ))}
    </div>
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
