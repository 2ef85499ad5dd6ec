import { useQuery } from '@tanstack/react-query';
import { escapeText } from '../../../../runtime/terminal-text.js';
import type { HookView, InvocationView } from '../../../http/schemas.js';
import { actionsQuery, hooksQuery } from '../api/queries.js';

type Target = InvocationView['target'];

/** What an action says that it does; of a hook also what it may reach on its nodes. */
export function ActionFacts({ ask: { action, target } }: { ask: InvocationView }) {
  const { data } = useQuery({ ...actionsQuery(onlyNodeOf(target)), enabled: !('integration' in target) });
  const offers = data?.filter(({ name }) => name === action) ?? [];
  return (
    <>
      <code>{action}</code>
      {offers.map(({ kind, description }) => (
        <span key={kind}>
          {description !== '' && `: ${escapeText(description)}`}
          {kind === 'hook' && <HookFacts name={action} target={target} />}
        </span>
      ))}
    </>
  );
}

/** Each way in which the nodes confine a hook; the digest binds it for every one of them. */
function HookFacts({ name, target }: { name: string; target: Target }) {
  const { data } = useQuery(hooksQuery(name, onlyNodeOf(target)));
  if (data === undefined) return null;
  const isAsked = ({ node }: HookView): boolean => !('nodes' in target) || target.nodes.includes(node);
  const ways = new Set(data.items.filter(isAsked).map((hook) => escapeText(inWords(hook))));
  return (
    <ul className="plain">
      {[...ways].map((way) => (
        <li key={way}>{way}</li>
      ))}
      {data.next_cursor !== null && (
        <li>on the first {data.items.length} nodes that have it; others are not looked at here</li>
      )}
    </ul>
  );
}

/** A fleet has more to say than one node of it. */
function onlyNodeOf(target: Target): string | undefined {
  return 'nodes' in target && target.nodes.length === 1 ? target.nodes[0] : undefined;
}

function inWords({ sandbox, network, writable, changed }: HookView): string {
  const confined =
    sandbox === 'none'
      ? 'a hook that is not confined'
      : `a hook, confined by ${sandbox}, ${network ? 'with' : 'without'} the network of the node`;
  const writes = writable.length === 0 ? '' : `, writes ${writable.join(', ')}`;
  return `${confined}${writes}${changed ? ', and its file has changed: it will be refused' : ''}`;
}
