import { useMutation, useQueryClient } from '@tanstack/react-query';
import { escapeText } from '../../../../runtime/terminal-text.js';
import type { HookView } from '../../../http/schemas.js';
import { call } from '../api/client.js';
import { useToast } from '../parts/toasts.js';
import { useIsAdmin } from '../session/session.js';

/** The hooks of a node with the checksums that count; one whose file is another by now waits until somebody accepts it. */
export function Hooks({ hooks }: { hooks: readonly HookView[] }) {
  if (hooks.length === 0) return null;
  return (
    <section className="card">
      <h2>Hooks</h2>
      <ul className="plain">
        {hooks.map((hook) => (
          <li key={hook.name} className="offer">
            <span>
              <strong>{hook.name}</strong> <code title={hook.checksum}>{hook.checksum.slice(0, 12)}</code>
              <br />
              <small>{escapeText(inWords(hook))}</small>
              {hook.fault !== null && <small className="error-text">{escapeText(hook.fault)}</small>}
            </span>
            {hook.changed && <Accept hook={hook} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Accept({ hook: { node, name, checksum } }: { hook: HookView }) {
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const say = useToast();
  const { mutate, isPending } = useMutation({
    mutationFn: () =>
      call('POST', `/nodes/${encodeURIComponent(node)}/hooks/${encodeURIComponent(name)}/accept`, {
        body: { checksum },
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['nodes', 'one', node] }),
    onError: ({ message }) => say(`Error: ${message}`, { isError: true }),
  });
  if (!isAdmin) return <span className="error-text">changed, and not accepted</span>;
  return (
    <button type="button" disabled={isPending} onClick={() => mutate()}>
      Accept the change
    </button>
  );
}

function inWords({ sandbox, network, writable }: HookView): string {
  const reach = network ? 'with the network of the node' : 'without network';
  return `sandbox ${sandbox}, ${reach}${writable.length === 0 ? '' : `, writes ${writable.join(', ')}`}`;
}
