import { useState } from 'react';
import type { InvocationPreview } from '../../../http/schemas.js';
import { DialogForm } from '../parts/dialog-form.js';
import { Status } from '../parts/status.js';
import { countNodes, describeTarget, RISK_WORDS } from '../parts/words.js';

/** What an ask would come to: on whom, how risky, and whether it runs, waits or is refused. */
export function PreviewPart({
  plan,
  isBusy,
  error,
  onSend,
  onBack,
}: {
  plan: InvocationPreview;
  isBusy: boolean;
  /** Why it was not sent. */
  error: unknown;
  onSend: () => void;
  onBack: () => void;
}) {
  const { action, target, risk, counts, decision, nodes, nodes_left_out } = plan;
  const isRefused = decision.kind === 'denied' || decision.kind === 'refused';
  const isWide = risk !== 'read' && counts.total > 1;
  const [isSure, setSure] = useState(false);
  return (
    <DialogForm
      onSubmit={onSend}
      onCancel={onBack}
      submit={decision.kind === 'pending' ? 'Ask for approval' : 'Run it'}
      cancel="Back"
      isOff={isBusy || isRefused || (isWide && !isSure)}
      error={error}
      ref={focus}
      tabIndex={-1}
      aria-label="What it comes to"
      className="preview"
    >
      <p>
        <strong>{action}</strong> on {describeTarget(target)}: {countNodes(counts.total)}, of which {counts.online}{' '}
        online. Risk: {RISK_WORDS[risk]}.
      </p>
      {counts.offline + counts.never_seen > 0 && (
        <p>
          {counts.offline + counts.never_seen} away: asked when they come back within {plan.expires_in}.
        </p>
      )}
      {counts.without_action > 0 && (
        <p className="warning">{counts.without_action} do not offer it and will reject it.</p>
      )}
      <p className={isRefused ? 'failure' : undefined}>{DECISIONS[decision.kind]}</p>
      {decision.detail !== null && <p className="failure">{decision.detail}.</p>}
      <details>
        <summary>Which nodes</summary>
        <ul className="node-names">
          {nodes.map(({ node, state }) => (
            <li key={node}>
              {node} <Status of={state} />
            </li>
          ))}
          {nodes_left_out > 0 && <li>and {nodes_left_out} more</li>}
        </ul>
      </details>
      {isWide && !isRefused && (
        <label className="choice">
          <input type="checkbox" checked={isSure} onChange={() => setSure(!isSure)} />
          Yes, on all {countNodes(counts.total)}
        </label>
      )}
    </DialogForm>
  );
}

/** What came in place of the form is where whoever uses the keyboard, or listens, goes on. */
function focus(element: HTMLElement | null): void {
  element?.focus();
}

const DECISIONS: Readonly<Record<InvocationPreview['decision']['kind'], string>> = {
  approved: 'It runs at once.',
  pending: 'It waits until somebody approves it.',
  denied: 'The policy denies it.',
  refused: 'It would not be taken.',
};
