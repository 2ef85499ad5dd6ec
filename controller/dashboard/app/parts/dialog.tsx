import { type MouseEvent, type ReactNode, useEffect, useId, useRef } from 'react';

/**
 * A modal dialog with a title and a × button. Escape, the button and a click beside it close it; the rest of the page
 * cannot be reached meanwhile, and the focus goes back to where it was.
 */
export function Dialog({
  title,
  onClose,
  isWide = false,
  children,
}: {
  title: string;
  onClose: () => void;
  isWide?: boolean;
  children: ReactNode;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const closeBeside = ({ target, currentTarget }: MouseEvent<HTMLDialogElement>): void => {
    if (target === currentTarget) onClose(); // all within it is covered by its content
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, which onClose hears
    <dialog
      ref={ref}
      className={isWide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      onClose={onClose}
      onClick={closeBeside}
    >
      <div className="dialog-content">
        <header>
          <h2 id={titleId}>{title}</h2>
          <button type="button" className="close" aria-label="Close" onClick={onClose}>
            ×
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
