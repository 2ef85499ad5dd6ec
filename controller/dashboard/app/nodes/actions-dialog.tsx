import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import type { InvocationView } from '../../../http/schemas.js';
import { useAskOnce } from '../api/ask.js';
import { recentQuery } from '../api/queries.js';
import { Dialog } from '../parts/dialog.js';
import { DialogForm } from '../parts/dialog-form.js';
import { Ago } from '../parts/moment.js';
import { Status } from '../parts/status.js';
import { useToast } from '../parts/toasts.js';
import { useIsAdmin } from '../session/session.js';

/** What can be sent from here, by the name of its action. */
const KINDS = [
  { action: 'message', name: '💬 Send Message' },
  { action: 'restart', name: '🔄 Restart Agent' },
  { action: 'reboot', name: '🔌 Reboot Machine' },
] as const;
type Kind = (typeof KINDS)[number]['action'];

/** From whom a message is, as the machine shows it. */
const TITLE = 'DashFleet';

/** Sends one machine a message or a command, and shows what came of those before. */
export function ActionsDialog({ node, onClose }: { node: string; onClose: () => void }) {
  const [kind, setKind] = useState<Kind>('message');
  const [text, setText] = useState('');
  const say = useToast();
  const confirm = useIsAdmin();
  const askOnce = useAskOnce();
  const { mutate: send, isPending } = useMutation({
    mutationFn: () =>
      askOnce({
        action: kind,
        target: { nodes: [node] },
        parameters: kind === 'message' ? { title: TITLE, text } : {},
        confirm,
      }),
    onSuccess: () => say(`Action sent to ${node}!`),
    onError: ({ message }) => say(`Error: ${message}`, { isError: true }),
  });
  const submit = (): void => {
    if (kind === 'message' && text.trim() === '') say('Please enter a message', { isError: true });
    else send(undefined, { onSuccess: onClose }); // nothing that was opened after this one is closed
  };
  return (
    <Dialog title={`Actions for ${node}`} onClose={onClose}>
      <DialogForm onSubmit={submit} onCancel={onClose} submit="Send" isOff={isPending} noValidate>
        <label>
          Action type
          <select value={kind} onChange={({ target }) => setKind(kindOf(target.value))}>
            {KINDS.map(({ action, name }) => (
              <option key={action} value={action}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {kind === 'message' && (
          <label>
            Message
            <textarea
              rows={3}
              placeholder="Enter message..."
              value={text}
              onChange={({ target }) => setText(target.value)}
            />
          </label>
        )}
        {kind === 'reboot' && <p className="warning">⚠️ This will reboot the machine!</p>}
      </DialogForm>
      <Results node={node} />
    </Dialog>
  );
}

function kindOf(value: string): Kind {
  return KINDS.find(({ action }) => action === value)?.action ?? 'message';
}

/** What was asked of the machine lately; nothing while there is none. */
function Results({ node }: { node: string }) {
  const { data } = useQuery(recentQuery(node));
  if (data === undefined || data.items.length === 0) return null;
  return (
    <section className="results" aria-label="Action Results">
      <h3>Action Results:</h3>
      <ul>
        {data.items.map((invocation) => (
          <li key={invocation.id}>
            <Link href={`/invocations/${invocation.id}`}>{invocation.action}</Link> <Status of={invocation.status} />{' '}
            <Ago at={invocation.created_at} /> <span className="error-text">{whyNot(invocation)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function whyNot({ status, error }: InvocationView): string {
  return status === 'pending' ? 'waits for an approval' : (error ?? '');
}
