import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { InvocationAnswer, InvocationView } from '../../../http/schemas.js';
import { call } from '../api/client.js';
import { invocationQuery } from '../api/queries.js';
import { Dialog } from '../parts/dialog.js';
import { DialogForm } from '../parts/dialog-form.js';
import { useToast } from '../parts/toasts.js';
import { useIsAdmin, useMayAsk, useMe } from '../session/session.js';
import { hasEnded } from './words.js';

/** Wants an invocation to end, for whoever may; nothing once it has ended or was asked to. */
export function CancelButton({ invocation }: { invocation: InvocationView }) {
  const [isAsking, setAsking] = useState(false);
  const mayCancel = useMayCancel(invocation);
  if (invocation.cancel_requested_at !== null && !hasEnded(invocation)) return <span>asked to end</span>;
  return (
    <>
      {mayCancel && (
        <button type="button" className="danger" onClick={() => setAsking(true)}>
          Cancel …
        </button>
      )}
      {isAsking && <CancelDialog invocation={invocation} onClose={() => setAsking(false)} />}
    </>
  );
}

/** Operators may cancel their own asks, admins and owners every one; what an integration was asked nobody takes back. */
function useMayCancel({ created_by, target, status, ...rest }: InvocationView): boolean {
  const { id } = useMe();
  const isAdmin = useIsAdmin();
  const mayAsk = useMayAsk();
  const isTooLate = hasEnded({ status }) || ('integration' in target && status !== 'pending');
  return !isTooLate && rest.cancel_requested_at === null && mayAsk && (isAdmin || created_by === id);
}

function CancelDialog({ invocation: { id, action }, onClose }: { invocation: InvocationView; onClose: () => void }) {
  const client = useQueryClient();
  const say = useToast();
  const { mutate, isPending, error } = useMutation({
    mutationFn: (reason: string) =>
      call<InvocationAnswer>('POST', `/invocations/${encodeURIComponent(id)}/cancel`, {
        body: reason === '' ? {} : { reason },
        headers: { prefer: 'wait=0' },
      }),
    onSuccess({ invocation }) {
      say(hasEnded(invocation) ? `${action} has ended: ${invocation.status}` : `${action} is asked to end`);
      client.invalidateQueries({ queryKey: invocationQuery(id).queryKey });
      client.invalidateQueries({ queryKey: ['executions', id] });
      onClose();
    },
  });
  const submit = (form: FormData): void => mutate(String(form.get('reason') ?? '').trim());
  return (
    <Dialog title={`Cancel ${action}?`} onClose={onClose}>
      <DialogForm
        onSubmit={submit}
        onCancel={onClose}
        submit="Cancel it"
        cancel="Let it go on"
        isOff={isPending}
        isDanger
        error={error}
      >
        <p className="hint">
          What no node has been sent ends at once. What may have begun ends when its node says how.
        </p>
        <label>
          Reason, for the audit trail
          <textarea name="reason" rows={2} maxLength={1024} placeholder="may be left out" />
        </label>
      </DialogForm>
    </Dialog>
  );
}
