import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { GrantWithApproval } from '../../../http/grant-schemas.js';
import type { InvocationView } from '../../../http/schemas.js';
import { call } from '../api/client.js';
import { useToast } from '../parts/toasts.js';

/** What a person says to an ask; a grant says it to the next ones, too. */
type Decision = Readonly<{ kind: 'approve'; grant?: GrantWithApproval }> | Readonly<{ kind: 'deny'; reason?: string }>;

const DONE = { approve: 'Approved', deny: 'Denied' } as const;

/** Decides an ask as it is shown: the controller refuses when it is another by now. */
export function useDecision({ id, action, digest }: InvocationView) {
  const client = useQueryClient();
  const say = useToast();
  return useMutation({
    mutationFn: ({ kind, ...more }: Decision) =>
      call<unknown>('POST', `/invocations/${encodeURIComponent(id)}/${kind}`, {
        body: kind === 'approve' ? { digest, ...more } : more,
        headers: { prefer: 'wait=0' },
      }),
    onSuccess: (_, { kind }) => say(`${DONE[kind]} ${action}`),
    onError: ({ message }) => say(`Error: ${message}`, { isError: true }),
    onSettled: () =>
      Promise.all(
        [['approvals'], ['invocations'], ['grants']].map((queryKey) => client.invalidateQueries({ queryKey })),
      ),
  });
}
