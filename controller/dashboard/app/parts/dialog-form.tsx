import type { FormEvent, ReactNode, Ref } from 'react';
import { FailureNote } from './failure-note.js';

/** What a dialog asks for, what was refused of it, and at its end the button that does it and the one that does not. */
export function DialogForm({
  onSubmit,
  onCancel,
  submit,
  cancel = 'Cancel',
  isOff,
  isDanger = false,
  error = null,
  children,
  ...form
}: {
  /** The form as it was filled in. */
  onSubmit: (form: FormData) => void;
  onCancel: () => void;
  submit: string;
  cancel?: string;
  /** Whether it cannot be done, or is under way. */
  isOff: boolean;
  isDanger?: boolean;
  error?: unknown;
  children: ReactNode;
  noValidate?: boolean;
  ref?: Ref<HTMLFormElement>;
  tabIndex?: number;
  className?: string;
  'aria-label'?: string;
}) {
  const take = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    onSubmit(new FormData(event.currentTarget));
  };
  return (
    <form onSubmit={take} {...form}>
      {children}
      {error !== null && <FailureNote error={error} />}
      <footer>
        <button type="submit" className={isDanger ? 'danger' : 'primary'} disabled={isOff}>
          {submit}
        </button>
        <button type="button" onClick={onCancel}>
          {cancel}
        </button>
      </footer>
    </form>
  );
}
