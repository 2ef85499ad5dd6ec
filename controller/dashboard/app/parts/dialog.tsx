import { type MouseEvent, type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { useToastPlace } from './toasts.js';

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
  const setToastPlace = useToastPlace();
  // Of layout: it is closed while it is still in the document, and only then gives the focus back.
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    setToastPlace(dialog);
    return () => {
      setToastPlace(null);
      dialog?.close();
    };
  }, [setToastPlace]);
  const pressedBeside = useRef(false);
  const press = (event: MouseEvent): void => {
    pressedBeside.current = isBeside(event);
  };
  const click = (event: MouseEvent): void => {
    if (pressedBeside.current && isBeside(event)) onClose(); // not what marks text and ends beside it
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, which onClose hears
    <dialog
      ref={ref}
      className={isWide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      onClose={onClose}
      onMouseDown={press}
      onClick={click}
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

/** The backdrop is a part of the dialog; all else in it is covered by its content. */
function isBeside({ target, currentTarget }: MouseEvent): boolean {
  return target === currentTarget;
}
