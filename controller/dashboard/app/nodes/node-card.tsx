import { Link } from 'wouter';
import type { NodeView } from '../../../http/schemas.js';
import { Ago } from '../parts/moment.js';
import { Status } from '../parts/status.js';
import { useMayAsk } from '../session/session.js';

/** A node in one line: its state, where it belongs, when it was heard, and its actions. */
export function NodeCard({
  node: { node, state, groups, labels, agent_version, transport, last_seen, open_executions },
  isPicked,
  onPick,
  onActions,
}: {
  node: NodeView;
  isPicked: boolean;
  onPick: (node: string) => void;
  onActions: (node: string) => void;
}) {
  const mayAsk = useMayAsk();
  return (
    <article className="node-card" aria-label={node}>
      {mayAsk && <input type="checkbox" aria-label={`Pick ${node}`} checked={isPicked} onChange={() => onPick(node)} />}
      <Link href={`/nodes/${node}`} className="name">
        {node}
      </Link>
      <Status of={state} />
      <span className="chips">
        {groups.map((group) => (
          <span key={group} className="chip group">
            {group}
          </span>
        ))}
        {Object.entries(labels).map(([key, value]) => (
          <span key={key} className="chip">
            {key}={value}
          </span>
        ))}
      </span>
      <span className="open">{open_executions > 0 && `${open_executions} open`}</span>
      <span className="version">{transport === 'http' ? 'polls' : (agent_version ?? '')}</span>
      <span className="seen">
        <Ago at={last_seen} />
      </span>
      {mayAsk && (
        <button type="button" title="Send message or command" onClick={() => onActions(node)}>
          📨 Actions
        </button>
      )}
    </article>
  );
}
