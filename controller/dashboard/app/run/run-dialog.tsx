import { useMutation } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import type { Selector } from '../../../../protocol/selectors.js';
import type { InvocationAnswer } from '../../../http/schemas.js';
import { type Ask, previewAsk, useAskOnce } from '../api/ask.js';
import { Dialog } from '../parts/dialog.js';
import { FailureNote } from '../parts/failure-note.js';
import { useToast } from '../parts/toasts.js';
import { useIsAdmin } from '../session/session.js';
import { PreviewPart } from './preview-part.js';
import { RunForm } from './run-form.js';

/** What the form begins with. */
export type Wish = Readonly<{ action?: string; parameters?: Readonly<Record<string, string>> }>;

/**
 * Asks for an action of these nodes, or of any when no target is given: first what is wanted, then what it would come to,
 * and only then the ask, bound to exactly that.
 */
export function RunDialog({
  target,
  wish = {},
  onClose,
}: {
  target?: Selector | undefined;
  wish?: Wish;
  onClose: () => void;
}) {
  const confirm = useIsAdmin();
  const say = useToast();
  const [, navigate] = useLocation();
  const askOnce = useAskOnce();
  const preview = useMutation({
    mutationFn: async (ask: Ask) => ({ ask, plan: await previewAsk({ ...ask, confirm }) }),
  });
  const { mutate: send, ...sending } = useMutation({
    mutationFn: ({ ask, digest }: { ask: Ask; digest: string }) => askOnce({ ...ask, confirm, digest }),
    onSuccess: ({ invocation: { status } }) => say(status === 'pending' ? 'It waits for an approval.' : 'It was sent.'),
  });
  const follow = ({ invocation: { id } }: InvocationAnswer): void => {
    onClose();
    navigate(`/invocations/${id}`);
  };
  const { data: planned } = preview;
  return (
    <Dialog title="Run an action" onClose={onClose} isWide>
      <div hidden={planned !== undefined}>
        <RunForm target={target} wish={wish} isBusy={preview.isPending} onDone={preview.mutate} />
        {preview.error !== null && <FailureNote error={preview.error} />}
      </div>
      {planned !== undefined && (
        <PreviewPart
          plan={planned.plan}
          isBusy={sending.isPending}
          error={sending.error}
          onSend={() => send({ ask: planned.ask, digest: planned.plan.digest }, { onSuccess: follow })}
          onBack={preview.reset}
        />
      )}
    </Dialog>
  );
}
